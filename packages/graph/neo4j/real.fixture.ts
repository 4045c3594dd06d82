import type { Projection } from '@twofold/core/graph/port.ts'
import { entity } from '../contract/scene.ts'
import { type Neo4jGraph, type Neo4jOptions, neo4jGraph } from './graph.ts'

const { TEST_NEO4J_URI = '', TEST_NEO4J_USERNAME = 'neo4j', TEST_NEO4J_PASSWORD } = process.env

export const server = { uri: TEST_NEO4J_URI, username: TEST_NEO4J_USERNAME, password: TEST_NEO4J_PASSWORD || undefined, database: 'neo4j' }

/** The adapter on the Neo4j that the tests are given. */
export const realGraph = (given: Partial<Neo4jOptions> = {}): Neo4jGraph =>
  neo4jGraph({
    ...server,
    pool: { min: 1, max: 20 },
    breaker: { failures: 3, recoveryMs: 45_000 },
    retry: { attempts: 3, delayMs: 20 },
    now: () => new Date(),
    log: { info() {}, warn() {}, error() {} },
    ...given,
  })

/** What Neo4j can never take: a subject larger than an entry of its index may be. */
export const poison = (id: string): Projection => entity(id, 'Ada', { subject: `user:${'a'.repeat(40_000)}` })
