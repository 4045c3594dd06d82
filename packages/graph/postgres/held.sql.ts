import type { GraphCounts, Shown } from '@twofold/core/graph/port.ts'
import { type Statement, sql } from '@twofold/core/sql.ts'

/** What a reader sees: neither tombstones nor edges with an end that is not there. */
export const count = (generation: number): Statement<GraphCounts> => sql<GraphCounts>`
  select
    count(*) filter (where n.kind = 'memory')::int as memories,
    count(*) filter (where n.kind = 'entity')::int as entities,
    count(*) filter (where n.kind = 'session')::int as sessions,
    (select count(*)::int from graph.edges e cross join lateral (${live(sql`e.from_id`)}) f cross join lateral (${live(sql`e.to_id`)}) t
      where e.tenant_id = twofold.current_tenant() and e.generation = ${generation}::int) as edges
  from graph.nodes n where n.tenant_id = twofold.current_tenant() and n.generation = ${generation}::int and n.gone_at is null`

const live = (id: Statement): Statement => sql`
  select from graph.nodes n where n.tenant_id = e.tenant_id and n.id = ${id} and n.generation = e.generation and n.gone_at is null offset 0`

export type HeldRow = Omit<Shown, 'gone' | 'digest'> & { high: number; low: number }

/** The nodes of these buckets or ids as they are held, each with what it asserts. */
export const hold = (
  which: readonly number[] | { readonly ids: readonly string[] },
  generation: number,
): Statement<HeldRow> => sql<HeldRow>`
  select n.kind, n.id, n.revision, n.subject, n.bucket::int as bucket, n.digest_high as high, n.digest_low as low, n.labels, n.properties,
    coalesce((
      select jsonb_agg(jsonb_build_object('type', e.type, 'from', e.from_id, 'to', e.to_id, 'relation', e.relation,
          'namespace', e.namespace, 'confidence', e.confidence) order by e.type, e.from_id, e.to_id, e.relation)
      from graph.edges e where e.tenant_id = n.tenant_id and e.owner = n.id and e.generation = n.generation), '[]') as edges
  from graph.nodes n
  where n.tenant_id = twofold.current_tenant() and n.generation = ${generation}::int and n.gone_at is null
    and ${'ids' in which ? sql`n.id = any(${which.ids}::uuid[])` : sql`n.bucket = any(${which}::smallint[])`}
  order by n.id`
