import { describe } from 'vitest'
import { neo4jStores } from '../graph/neo4j.ts'
import { rebuildTests } from './suite.ts'

describe.skipIf(!process.env.TEST_NEO4J_URI)('two stores, the graph in Neo4j (TEST_NEO4J_URI)', () => rebuildTests(neo4jStores))
