import { createHash, randomUUID } from 'node:crypto'
import { raw, sql } from '@twofold/core/sql.ts'
import { type TestDatabase, testDatabase } from '@twofold/local/sql/fixture.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ensureModel, indexOf } from './ensure-model.ts'
import { type Migration, migrate, readMigrations } from './migrate.ts'
import { asOwner, type Owner } from './owner.ts'

let database: TestDatabase
let owner: Owner
beforeEach(async () => {
  database = await testDatabase()
  owner = asOwner(database.owner)
})
afterEach(() => database.close())

const migration = (number: number, text: string): Migration => ({
  number,
  name: `000${number}_some.sql`,
  sha256: createHash('sha256').update(text).digest('hex'),
  text,
})
const run = (migrations?: Migration[], url?: string) =>
  migrate({ ownerUrl: database.owner.url, fetchEndpoint: database.owner.fetchEndpoint, migrations, url })

test('the real schema is made once, by two processes at the same time and by a third one later', async () => {
  const files = (await readMigrations()).map(({ name }) => name)
  const [first, second] = await Promise.all([run(), run()])
  expect([...first, ...second].sort()).toEqual(files)
  expect(await run()).toEqual([])
  const [rows] = await owner([raw('select name from twofold.migrations order by number')])
  expect(rows?.map((row) => row.name)).toEqual(files)
})

test('a migration that fails leaves nothing of itself, and those before it stay', async () => {
  const good = migration(1, 'create table twofold.a (n int);')
  await expect(run([good, migration(2, 'create table twofold.b (n int);\nselect 1 / 0;')])).rejects.toThrow(
    'migration 0002_some.sql failed: division by zero',
  )
  const [rows] = await owner([
    raw("select relname from pg_class where relnamespace = 'twofold'::regnamespace and relkind = 'r' order by 1"),
  ])
  expect(rows).toEqual([{ relname: 'a' }, { relname: 'migrations' }])
  expect(await run([good, migration(2, 'create table twofold.b (n int)')])).toEqual(['0002_some.sql'])
})

test('a file that changed after it was applied is refused by name', async () => {
  await run([migration(1, 'create table twofold.a (n int)')])
  await expect(run([migration(1, 'create table twofold.a (n bigint)')])).rejects.toThrow(
    'migration 0001_some.sql was applied and has changed since',
  )
})

test('a database that is newer than the code is refused', async () => {
  const old = migration(1, 'create table twofold.a (n int)')
  await run([old, migration(2, 'create table twofold.b (n int)')])
  await expect(run([old])).rejects.toThrow('the database has migration 0002_some.sql, which this version does not know')
})

test('the login of the service is let into the application role, however it is spelt', async () => {
  const login = `odd "login" role ${randomUUID()}`
  await owner([raw(`create role "${login.replaceAll('"', '""')}" login noinherit`)])
  const url = new URL(database.url)
  url.username = login
  await run(undefined, url.href)
  const [rows] = await owner([sql`select pg_has_role(${login}, 'twofold_app', 'set') as let_in`])
  expect(rows).toEqual([{ let_in: true }])
  await owner([raw(`drop role "${login.replaceAll('"', '""')}"`)])
})

test('each embedding model has its own index, made once, for any name a model can have', async () => {
  await run()
  for (const [model, dimensions] of [
    ['a:b', 8],
    ["it's", 16],
    ['a:b', 8],
  ] as const)
    await ensureModel(database.owner, model, dimensions)
  const [rows] = await owner([raw("select indexname, indexdef from pg_indexes where indexdef like '%hnsw%' order by indexname")])
  expect(rows?.map((row) => row.indexname).sort()).toEqual([indexOf('a:b'), indexOf("it's")].sort())
  expect(rows?.map((row) => row.indexdef).join('\n')).toMatch(/halfvec\(16\).*'it''s'[\s\S]*halfvec\(8\).*'a:b'/)
  await expect(ensureModel(database.owner, 'big', 5000)).rejects.toThrow('1 to 4000 are allowed')
})

test('the index of a model answers the search it was made for', async () => {
  await run()
  await ensureModel(database.owner, 'a:b', 3)
  const [, , plan] = await owner([
    raw('set local enable_seqscan = off'),
    raw('set local enable_sort = off'),
    raw(`explain select memory_id from twofold.embeddings where model = 'a:b' and live
      order by embedding::halfvec(3) <=> '[1,2,3]'::halfvec(3) limit 3`),
  ])
  expect(JSON.stringify(plan)).toContain(indexOf('a:b'))
})
