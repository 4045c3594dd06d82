import { randomUUID } from 'node:crypto'
import { oldestOwed } from '@twofold/core/graph/lag.sql.ts'
import { leaseOldest, leaseThese, readLeased, releaseLeased } from '@twofold/core/graph/lease.sql.ts'
import { MOST_ROWS } from '@twofold/core/graph/project.ts'
import { raw, type Statement, sql } from '@twofold/core/sql.ts'
import { entity } from '@twofold/graph/contract/scene.ts'
import { replaceEdges } from '@twofold/graph/postgres/apply.sql.ts'
import { dropSome } from '@twofold/graph/postgres/drop.sql.ts'
import { traverse } from '@twofold/graph/postgres/traverse.sql.ts'
import { asOwner } from '@twofold/postgres/owner.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MigratedDatabase, migratedDatabase } from '../database.ts'
import { makeTenant, type Tenant } from './world.ts'

const terms = { lease: randomUUID(), now: '2026-03-01T12:00:00Z', until: '2026-03-01T12:00:30Z' }
const ids = Array.from({ length: MOST_ROWS }, () => randomUUID())

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
async function plan(statement: Statement, tenant = mine.tenant): Promise<string> {
  const [rows] = await database.db.asTenant(tenant, [sql<{ 'QUERY PLAN': string }>`${raw('explain ')}${statement}`])
  return rows.map((row) => row['QUERY PLAN']).join('\n')
}

/** By itself or through a bitmap, as the planner of each Postgres likes. */
const by = (index: string, condition = ''): RegExp => new RegExp(`(using|Index Scan on) ${index} .*\\n\\s*Index Cond: .*${condition}`)

test('at 100,000 ledger rows a writer reaches its rows by an index, whichever way it names them', async () => {
  expect(await plan(leaseOldest(MOST_ROWS, terms))).toMatch(by('ledger_owed'))
  for (const statement of [leaseThese(ids, MOST_ROWS, terms), readLeased(ids, terms)]) {
    const text = await plan(statement)
    expect(text).toMatch(by('ledger_pkey', 'id = ANY'))
    expect(text).not.toMatch(/Seq Scan on ledger/)
  }
  expect(await plan(readLeased([], terms))).toMatch(by('ledger_leased'))
  expect(await plan(releaseLeased(terms))).toMatch(by('ledger_leased'))
  expect(await plan(oldestOwed(['user:u1', 'user:u2']))).toMatch(by('ledger_owed_by_subject'))
})

test('a batch reaches its nodes by their ids in a graph that nobody has analysed', async () => {
  await database.db.asTenant(mine.tenant, [
    sql`insert into graph.nodes (tenant_id, generation, id, kind, subject, revision, bucket, labels, properties)
      select twofold.current_tenant(), 1, gen_random_uuid(), 'entity', 'user:ada', 1, i % 250, '{}', '{}' from generate_series(1, 2000) i`,
  ])
  const batch = ids.map((id) => entity(id, 'Ada'))
  expect(await plan(replaceEdges(batch, [1]))).toMatch(by('nodes_pkey', 'id = b.id'))
  expect(await plan(replaceEdges(batch, [1, 2]))).toMatch(by('nodes_pkey', 'id = b.id'))
})

test('what is left of a generation is reached bucket by bucket', async () => {
  expect(await plan(dropSome(2, 500))).toMatch(by('nodes_by_bucket', 'bucket = '))
})

test('the graph of a tenant that nobody has analysed is walked by the ends of its edges', async () => {
  await database.db.asTenant(mine.tenant, [
    sql`insert into graph.edges (tenant_id, generation, owner, type, from_id, to_id, relation, namespace, confidence)
      select twofold.current_tenant(), 1, gen_random_uuid(), 'MENTIONS', gen_random_uuid(), gen_random_uuid(), '', 'user:ada', 1
      from generate_series(1, 20000)`,
  ])
  await asOwner(database)([raw('analyze graph.nodes'), raw('analyze graph.edges')])
  const { tenant } = await makeTenant(database.db, randomUUID())
  const walk = { start: ids, ranges: [{ low: '', high: '\u{10FFFF}' }], via: [], hops: 2, limit: 100 }
  expect(await plan(traverse({ ...walk, direction: 'out' }, 1), tenant)).not.toMatch(/edges_(by_to|pkey)/)
  expect(await plan(traverse({ ...walk, direction: 'both' }, 1), tenant)).toMatch(by('edges_by_to', 'to_id = '))
})
