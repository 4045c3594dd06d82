import { sql } from '@twofold/core/sql.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connection, type MigratedDatabase, migratedDatabase } from '../../tests/database.ts'
import { asOwner } from './owner.ts'

/** Where transactions really meet: each request of the service is a connection of its own here. */

let database: MigratedDatabase
let retried: string[]
/** One that holds what it locks until it is told to let go. */
let other: pg.Client
beforeEach(async () => {
  retried = []
  const log = { ...connection.log, warn: (_: string, fields?: object) => void retried.push((fields as { reason: string }).reason) }
  database = await migratedDatabase({ retry: { attempts: 10, delayMs: 5 }, log })
  await asOwner(database.owner)([
    sql`create table public.spots (n int primary key, hits int not null default 0)`,
    sql`insert into public.spots select generate_series(1, 4)`,
    sql`grant all on public.spots to twofold_app`,
  ])
  other = new pg.Client({ connectionString: database.owner.url })
  await other.connect()
})
afterEach(async () => {
  await other.end()
  await database.close()
})

const hit = (n: number) => sql`update public.spots set hits = hits + 1 where n = ${n}`
const pause = (seconds: number) => sql`select pg_sleep(${seconds})`
const hits = async () => {
  const [rows] = await database.db.across([sql<{ hits: number }>`select hits from public.spots order by n`])
  return rows.map((row) => row.hits)
}

test('two that wait for each other: Postgres breaks one off, it is tried again, and each has happened once', async () => {
  const write = { write: true }
  await Promise.all([
    database.db.across([hit(1), pause(0.3), hit(2)], write),
    database.db.across([hit(2), pause(0.3), hit(1)], write),
    database.db.across([hit(3), pause(0.3), hit(4)], write),
    database.db.across([hit(4), pause(0.3), hit(3)], write),
  ])
  expect(await hits()).toEqual([2, 2, 2, 2])
  expect(retried.filter((reason) => reason === '40P01').length).toBeGreaterThanOrEqual(2)
})

test('what cannot be put in an order is tried again until it can', async () => {
  const [[{ name } = { name: '' }]] = await database.db.across([sql<{ name: string }>`select current_database() as name`])
  await other.query(`alter database ${name} set default_transaction_isolation = 'serializable'`)
  // Connections that are there keep what they began with.
  await other.query(
    'select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and usename <> current_user',
  )
  await Promise.all(Array.from({ length: 6 }, () => database.db.across([hit(1), pause(0.02)], { write: true })))
  expect((await hits())[0]).toBe(6)
  expect(retried).toContain('40001')
})

test('what somebody holds for longer than five seconds is refused with a word on when to ask again, and nothing has happened', async () => {
  await other.query('begin')
  await other.query('select from public.spots where n = 1 for update')
  const refused = await database.db.across([hit(2), hit(1)], { write: true }).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(Refusal)
  expect(refused).toMatchObject({ code: 'in_progress', details: { retryAfterMs: 1000 } })
  // What another one holds is nothing to everybody else.
  await database.db.across([hit(3)], { write: true })
  await other.query('rollback')
  await database.db.across([hit(1)], { write: true })
  expect(await hits()).toEqual([1, 0, 1, 0])
})

test('a connection that an operator ends is no end of the service: reads go on, and a write is not done twice', async () => {
  const running = database.db.across([hit(1), pause(0.5)], { write: true, repeatable: false }).catch((error: unknown) => error)
  const reading = database.db.across([sql<{ n: number }>`select 1 as n from pg_sleep(0.5)`])
  await new Promise((resolve) => setTimeout(resolve, 200))
  await other.query(
    'select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and usename <> current_user',
  )
  expect(await running).toMatchObject({ name: 'VectorStoreError', retryable: true })
  expect(await reading).toEqual([[{ n: 1 }]])
  expect((await hits())[0]).toBe(0)
})
