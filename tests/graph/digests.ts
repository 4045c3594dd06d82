import { digest } from '@twofold/core/graph/digest.ts'
import type { Shown } from '@twofold/core/graph/port.ts'
import { sql } from '@twofold/core/sql.ts'
import { describe, expect, test } from 'vitest'
import { scene } from './scene.ts'
import type { OpenStores } from './stores.ts'
import { id, type Remembered, remember } from './world.ts'

/** The formula of digest.ts, written again in SQL from its description. */
export const digestInSql = (shown: Shown) => sql<{ high: number; low: number }>`
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

const NAME = `Ada's \\ "\`]->() MATCH (n) DETACH DELETE n //"\n👩‍👩‍👧 ñ שלום`

/** That both stores say the same of everything there is. */
export function digestTests(open: OpenStores): void {
  describe('digests', () => {
    const it = scene(open)

    /** What the ledger says is shown, by id. */
    const noted = async () => {
      const [rows] = await it.db.asTenant(it.mine.tenant, [
        sql<{ id: string; revision: number; bucket: number; high: number; low: number }>`
          select id, shown as revision, bucket::int as bucket, digest_high as high, digest_low as low from ledger
          where tenant_id = current_tenant() and revision = shown and digest_high is not null order by id`,
      ])
      return rows
    }
    /** Of all 1,024 buckets. */
    const everything = () =>
      it.graph.held(
        it.mine.tenant,
        Array.from({ length: 1024 }, (_, bucket) => bucket),
        { generations: [1] },
      )

    test('of what the graph holds, in JavaScript and in SQL, are those that the ledger noted', async () => {
      const memories: Remembered[] = ['note', 'decision', 'commitment', 'pattern', 'constructor'].map((kind, i) => ({
        id: id(),
        kind,
        content: `content ${i}`,
        namespace: i % 2 ? 'user:ada:wörk' : 'user:ada',
        entities: [`person:${NAME}`, `place:Turin ${i}`],
        about: [`place:Turin ${i}`],
        relations: [[`person:${NAME}`, NAME, `place:Turin ${i}`]],
      }))
      await remember(it.db, it.mine, it.clock, ...memories)
      await it.show(...memories.map((memory) => memory.id))
      await remember(it.db, it.mine, it.clock, { ...(memories[0] as Remembered), entities: ['place:Turin 1'], relations: [], about: [] })
      await it.show(...memories.map((memory) => memory.id))
      const [held, rows] = [await everything(), await noted()]
      expect(held.map(({ id, revision, bucket, digest: [high, low] }) => ({ id, revision, bucket, high, low }))).toEqual(rows)
      expect(rows).toHaveLength(11)
      for (const thing of held) {
        expect(digest(thing)).toEqual(thing.digest)
        const [[inSql]] = await it.db.asTenant(it.mine.tenant, [digestInSql(thing)])
        expect([inSql?.high, inSql?.low]).toEqual(thing.digest)
      }
    })
  })
}
