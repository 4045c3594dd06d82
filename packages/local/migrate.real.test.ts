import { MIGRATIONS } from '@twofold/graph/neo4j/migrations.cypher.ts'
import neo4j, { type Driver } from 'neo4j-driver-lite'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { migrateOn } from './migrate.fixture.ts'
import { type TestDatabase, testDatabase } from './sql/fixture.ts'

vi.setConfig({ testTimeout: 120_000 })

const { TEST_NEO4J_URI = '', TEST_NEO4J_USERNAME = '', TEST_NEO4J_PASSWORD = '' } = process.env
const NEO4J = { NEO4J_URI: TEST_NEO4J_URI, NEO4J_USERNAME: TEST_NEO4J_USERNAME, NEO4J_PASSWORD: TEST_NEO4J_PASSWORD }

let database: TestDatabase
let driver: Driver
beforeAll(async () => {
  // Whoever deploys has one address for both logins, which the endpoint of the embedded database has as well.
  vi.stubEnv('TEST_DATABASE_URL', '')
  database = await testDatabase()
  driver = neo4j.driver(TEST_NEO4J_URI, neo4j.auth.basic(TEST_NEO4J_USERNAME, TEST_NEO4J_PASSWORD))
})
afterAll(() => Promise.all([database.close(), driver.close()]))

test('Neo4j gets what it lacks, and again there is nothing to do', async () => {
  const first = await migrateOn(database, [], NEO4J)
  expect([first.code, first.err]).toEqual([0, ''])
  // Other suites on this server may have been here before.
  expect(first.out).toMatch(/^Neo4j: (up to date|applied [\d, ]+)$/m)
  const { records } = await driver.executeQuery('match (m:GraphMigration) return m.number as number', {}, { database: 'neo4j' })
  expect(records.map((record) => Number(record.get('number'))).sort()).toEqual(MIGRATIONS.map(({ number }) => number))
  expect((await migrateOn(database, [], NEO4J)).out).toContain('Neo4j: up to date\n')
})

test('a Neo4j that refuses the login ends it with a sentence', async () => {
  const { code, err } = await migrateOn(database, [], { ...NEO4J, NEO4J_PASSWORD: 'not this one' })
  expect(code).toBe(1)
  expect(err).toMatch(/unauthorized/i)
  expect(err).not.toContain('not this one')
})
