import { hashKey } from '@twofold/operation/read-caller.ts'
import { readMigrations } from '@twofold/postgres/migrate.ts'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { migrateOn } from './migrate.fixture.ts'
import { type TestDatabase, testDatabase } from './sql/fixture.ts'

vi.setConfig({ testTimeout: 120_000 })

let database: TestDatabase
let elsewhere: TestDatabase
beforeAll(async () => {
  ;[database, elsewhere] = await Promise.all([testDatabase(), testDatabase()])
})
afterAll(() => Promise.all([database.close(), elsewhere.close()]))

const migrate = (args: readonly string[], variables?: Record<string, string>) => migrateOn(database, args, variables)

test('an empty database gets every migration, the index of its model and its first key; again there is nothing to do', async () => {
  const first = await migrate(['--tenant', 'acme'])
  expect([first.code, first.err]).toEqual([0, ''])
  const names = (await readMigrations()).map(({ name }) => name)
  expect(first.out).toContain(`applied ${names.join(', ')}\n`)
  expect(first.out).toContain('vectors of openai:text-embedding-3-small with 1536 dimensions are indexed\n')
  const key = first.out.trim().split('\n').at(-1) as string
  const of = 'select t.name, k.scopes::text from twofold.api_keys k join twofold.tenants t on t.id = k.tenant_id where k.hash = $1::bytea'
  expect(await database.sql(of, [`\\x${hashKey(key).toString('hex')}`])).toEqual([{ name: 'acme', scopes: '{admin}' }])

  const again = await migrate(['--tenant', 'acme'])
  expect([again.code, again.err]).toEqual([0, ''])
  expect(again.out).toContain('Postgres: up to date\n')
  expect(again.out).toContain('The tenant acme is there already')
  expect(again.out).not.toContain('tf_')
})

test('every place is brought up to the same code', async () => {
  const { url, fetchEndpoint, owner } = elsewhere
  const away = { DATABASE_URL: url, DATABASE_HTTP_URL: fetchEndpoint, DATABASE_OWNER_URL: owner.url }
  const { code, out, err } = await migrate([], { PLACES: JSON.stringify({ away }) })
  expect([code, err]).toEqual([0, ''])
  expect(out.split('away:\n')[1]).toContain('Postgres: applied 0001_')
  const [counted] = await elsewhere.sql('select count(*)::int as migrations from twofold.migrations')
  expect(Number(counted?.migrations)).toBe((await readMigrations()).length)
})

test.each([
  ['a variable that is not right', [], { DATABASE_URL: 'nowhere' }, 'DATABASE_URL'],
  ['an option that there is not', ['--surprise'], {}, "Unknown option '--surprise'"],
  ['a database that does not answer', [], { DATABASE_HTTP_URL: 'http://127.0.0.1:9/sql' }, 'no answer'],
])('%s ends it with a sentence', async (_, args, variables, says) => {
  const { code, out, err } = await migrate(args, variables)
  expect([code, out]).toEqual([1, ''])
  expect(err).toContain(says)
})
