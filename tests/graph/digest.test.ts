import { randomUUID } from 'node:crypto'
import { digest } from '@twofold/core/graph/digest.ts'
import type { Shown } from '@twofold/core/graph/port.ts'
import { sql } from '@twofold/core/sql.ts'
import { entity, memory, uuid } from '@twofold/graph/contract.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MigratedDatabase, migratedDatabase } from '../database.ts'
import { makeTenant } from './world.ts'

let database: MigratedDatabase
beforeAll(async () => {
  database = await migratedDatabase()
})
afterAll(() => database.close())

/** The formula of digest.ts, written again in SQL from its description. */
const inSql = (shown: Shown) => sql<{ high: number; low: number }>`
  with p as (select ${JSON.stringify(shown)}::jsonb as p),
  labels as (select l #>> '{}' as x from p, jsonb_array_elements(p->'labels') l),
  properties as (
    select octet_length(k) || ':' || k || octet_length(v) || ':' || v as x
    from p, jsonb_each(p->'properties') e (k, j), lateral (select case jsonb_typeof(j)
      when 'number' then 'n' || encode(float8send((j #>> '{}')::float8), 'hex')
      when 'boolean' then 'b' || (j #>> '{}') else 's' || (j #>> '{}') end as v) w),
  edges as (
    select string_agg(octet_length(f) || ':' || f, '' order by n) as x
    from p, jsonb_array_elements(p->'edges') with ordinality e (j, i), lateral unnest(array[j->>'type', j->>'from', j->>'to', j->>'relation', j->>'namespace',
      encode(float8send((j->>'confidence')::float8), 'hex')]) with ordinality u (f, n)
    group by i),
  lists as (
    select 1 as n, x from labels union all select 2, x from properties union all select 3, x from edges),
  parts as (
    select 1 as n, string_agg(octet_length(f) || ':' || f, '' order by n) as s from p, unnest(array[p->>'kind', p->>'id', p->>'subject']) with ordinality u (f, n)
    union all
    select 2, string_agg(octet_length(c) || ':' || c || s, '' order by n) from (
      select n, count(x)::text as c, coalesce(string_agg(octet_length(x) || ':' || x, '' order by x collate "C"), '') as s
      from (values (1), (2), (3)) v (n) left join lists using (n) group by n) l),
  whole as (select string_agg(s, '' order by n) as s from parts)
  select ('x' || encode(substr(sha256(convert_to(s, 'UTF8')), 1, 4), 'hex'))::bit(32)::int as high,
    ('x' || encode(substr(sha256(convert_to(s, 'UTF8')), 5, 4), 'hex'))::bit(32)::int as low
  from whole`

const things: Shown[] = [
  entity(uuid(1), 'Ada'),
  entity(uuid(2), '🎉 "quoted" \\ back\nline é 👩‍👩‍👧', { labels: ['Decision', '\u{1F389}', '\uFFFD', 'z'], subject: 'user:שלום' }),
  memory(uuid(3), [uuid(1), uuid(2)], {
    relations: [
      [uuid(1), 'works_at', uuid(2)],
      [uuid(1), '🎉', uuid(2)],
      [uuid(1), '\uFFFD', uuid(2)],
    ],
    namespace: 'user:ada:wörk',
  }),
  entity(uuid(4), '', {
    properties: { importance: 7.3, version: 123456789, small: 1e-7, large: 1e21, third: 1 / 3, yes: true, no: false, zero: 0 },
  }),
]

test.each(things.map((thing, i) => [i, thing] as const))('the digest of thing %i is the same in SQL', async (_, thing) => {
  const { tenant } = await makeTenant(database.db, randomUUID())
  const [[row]] = await database.db.asTenant(tenant, [inSql(thing)])
  expect([row?.high, row?.low]).toEqual(digest(thing))
})
