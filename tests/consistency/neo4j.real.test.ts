import { describe } from 'vitest'
import { neo4jStores } from '../graph/neo4j.ts'
import { cypher } from './cypher.ts'
import { consistencyTests } from './suite.ts'

describe.skipIf(!process.env.TEST_NEO4J_URI)('two stores, the graph in Neo4j (TEST_NEO4J_URI)', () => consistencyTests(neo4jStores, cypher))
