import { describe } from 'vitest'
import { embeddedStores } from './embedded.ts'
import { neo4jStores } from './neo4j.ts'
import { raceTests } from './races.ts'

const { TEST_DATABASE_URL, TEST_NEO4J_URI } = process.env

describe.skipIf(!TEST_DATABASE_URL)('on a native Postgres (TEST_DATABASE_URL)', () => {
  describe('with the graph in its own tables', () => raceTests(embeddedStores))
  describe.skipIf(!TEST_NEO4J_URI)('with the graph in Neo4j (TEST_NEO4J_URI)', () => raceTests(neo4jStores))
})
