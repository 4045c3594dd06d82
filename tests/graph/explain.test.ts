import { randomUUID } from 'node:crypto'
import { oldestOwed } from '@twofold/core/graph/lag.sql.ts'
import { leaseOldest, leaseThese, readLeased, releaseLeased } from '@twofold/core/graph/lease.sql.ts'
import { raw, type Statement, sql } from '@twofold/core/sql.ts'
import { asOwner } from '@twofold/postgres/owner.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MigratedDatabase, migratedDatabase } from '../database.ts'
import { makeTenant, type Tenant } from './world.ts'

const terms = { lease: randomUUID(), now: '2026-03-01T12:00:00Z', until: '2026-03-01T12:00:30Z' }
const ids = Array.from({ length: 200 }, () => randomUUID())

let database: MigratedDatabase
let mine: Tenant
beforeAll(async () => {
  database = await migratedDatabase()
  mine = await makeTenant(database.db, randomUUID())
  await database.db.asTenant(mine.tenant, [
    sql`insert into ledger (tenant_id, id, kind, subject, bucket, revision, shown, owed_since)
      select current_tenant(), gen_random_uuid(), 'memory', 'user:u' || i % 1000, 0, 1, case when i % 50 = 0 then 0 else 1 end,
        '2026-03-01'::timestamptz + i * interval '1 second'
      from generate_series(1, 100000) i`,
  ])
  await asOwner(database)([raw('analyze twofold.ledger')])
})
afterAll(() => database.close())

/** What the planner chooses, as the application role. */
async function plan(statement: Statement): Promise<string> {
  const [rows] = await database.db.asTenant(mine.tenant, [sql<{ 'QUERY PLAN': string }>`${raw('explain ')}${statement}`])
  return rows.map((row) => row['QUERY PLAN']).join('\n')
}

test('at 100,000 ledger rows a writer reaches its rows by an index, whichever way it names them', async () => {
  expect(await plan(leaseOldest(200, terms))).toMatch(/using ledger_owed on ledger/)
  for (const statement of [leaseThese(ids, 200, terms), readLeased(ids, terms)]) {
    const text = await plan(statement)
    expect(text).toMatch(/ledger_pkey on ledger l.*\n\s*Index Cond: .*id = ANY/)
    expect(text).not.toMatch(/Seq Scan on ledger/)
  }
  expect(await plan(readLeased([], terms))).toMatch(/ledger_leased on ledger/)
  expect(await plan(releaseLeased(terms))).toMatch(/ledger_leased on ledger/)
  expect(await plan(oldestOwed(['user:u1', 'user:u2']))).toMatch(/ledger_owed_by_subject on ledger/)
})
