import { describe } from 'vitest'
import { neo4jStores } from './neo4j.ts'
import { graphTests } from './suites.ts'

describe.skipIf(!process.env.TEST_NEO4J_URI)('with the graph in Neo4j (TEST_NEO4J_URI)', () => graphTests(neo4jStores))
