import { randomUUID } from 'node:crypto'
import neo4j, { type Driver } from 'neo4j-driver-lite'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { Scene, uuid } from '../contract/scene.ts'
import type { Neo4jGraph, Neo4jOptions } from './graph.ts'
import { Line } from './line.fixture.ts'
import { poison, realGraph, server } from './real.fixture.ts'

export const openDriver = (): Driver =>
  neo4j.driver(server.uri, neo4j.auth.basic(server.username, server.password ?? ''), { disableLosslessIntegers: true })

/** An adapter on the real server, and what it has counted. */
export interface RealScene {
  scene: Scene
  graph: Neo4jGraph
  tenant: string
  times(what: string): number
  /** Waits until no session is open any more. */
  none(): Promise<void>
}

/** For the tests of one file: adapters that are closed after each, lines to the server, and somebody else at the server. */
export function realScenes() {
  const opened: { close(): Promise<unknown> }[] = []
  let driver: Driver
  beforeAll(() => {
    driver = openDriver()
  })
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close()
  })
  afterAll(() => driver.close())

  async function scene(given: Partial<Neo4jOptions> = {}): Promise<RealScene> {
    const counted: string[] = []
    const graph = realGraph({ count: (what) => void counted.push(what), ...given })
    opened.push(graph)
    await graph.warmed
    counted.length = 0
    const made = new Scene()
    made.under = { graph, tenant: async () => randomUUID(), poison, stray, close: async () => undefined }
    return {
      scene: made,
      graph,
      tenant: randomUUID(),
      times: (what) => counted.filter((each) => each === what).length,
      none: () => expect.poll(() => graph.usage().open, { timeout: 5_000 }).toBe(0),
    }
  }

  async function line(): Promise<Line> {
    const made = await Line.to(server.uri)
    opened.push({ close: () => made.shut().catch(() => undefined) })
    return made
  }

  const ask = async (text: string, parameters = {}): Promise<Record<string, any>[]> =>
    (await driver.executeQuery(text, parameters, { database: server.database })).records.map((record) => record.toObject())

  /** An edge that nothing asserts. */
  const stray = async (tenant: string, generation: number) => {
    const end = 'tenant: $tenant, generation: $generation, id'
    await ask(
      `cypher 5 merge (a:Node {${end}: $from}) merge (b:Node {${end}: $to})
      create (a)-[:MENTIONS {tenant: $tenant, generation: $generation, owner: $owner, namespace: 'user:ada', confidence: 1.0}]->(b)`,
      {
        ...{ tenant, generation: neo4j.int(generation), owner: uuid(990), from: uuid(1), to: uuid(2) },
      },
    )
  }

  /** A transaction of somebody else, who holds these nodes of the tenant, and may hold more. */
  async function holding(tenant: string, held: readonly string[]) {
    const session = driver.session({ database: server.database })
    const transaction = session.beginTransaction()
    const hold = (more: readonly string[]) =>
      transaction.run('unwind $held as id match (n:Node {tenant: $tenant, generation: 1, id: id}) set n:Node', { tenant, held: more })
    await hold(held)
    return { hold, let: () => session.close() }
  }

  return { scene, line, ask, stray, holding }
}
