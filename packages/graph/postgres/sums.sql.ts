import type { BucketSum, Head, StrayEdge, Which } from '@twofold/core/graph/port.ts'
import type { Range } from '@twofold/core/ports.ts'
import { type Statement, sql } from '@twofold/core/sql.ts'

const inside = (column: Statement, ranges: readonly Range[] | null): Statement =>
  ranges === null
    ? sql`true`
    : sql`exists (select from unnest(${ranges.map((r) => r.low)}::text[], ${ranges.map((r) => r.high)}::text[]) r (low, high)
        where ${column} >= r.low collate "C" and ${column} < r.high collate "C")`

/** What no projection leaves: a node without its digest, a tombstone with content. */
const ODD = sql`(case when n.gone_at is null then n.digest_high is null or n.digest_low is null
  else n.digest_high is not null or n.properties <> '{}' or n.labels <> '{}' end)`

/** Edges go by the id that asserts them, of which the bucket is a part: no join. */
export const sumUp = (subjects: readonly Range[] | null, generation: number): Statement<BucketSum> => sql<BucketSum>`
  with n as (
    select n.bucket, count(*) filter (where n.gone_at is null) as nodes, sum(n.digest_high) filter (where n.gone_at is null) as high,
      sum(n.digest_low) filter (where n.gone_at is null) as low, sum(n.revision) filter (where n.gone_at is null) as revisions,
      count(*) filter (where ${ODD}) as odd
    from graph.nodes n
    where n.tenant_id = twofold.current_tenant() and n.generation = ${generation}::int and ${inside(sql`n.subject`, subjects)}
    group by n.bucket),
  e as (
    select twofold.bucket_of(e.owner) as bucket, count(*) as edges from graph.edges e
    where e.tenant_id = twofold.current_tenant() and e.generation = ${generation}::int and ${inside(sql`e.namespace`, subjects)}
    group by 1)
  select case when bucket between 0 and 1023 then bucket else -1 end::int as bucket, coalesce(sum(nodes), 0)::int as nodes, coalesce(sum(high), 0)::float8 as high,
    coalesce(sum(low), 0)::float8 as low, coalesce(sum(revisions), 0)::float8 as revisions, coalesce(sum(edges), 0)::int as edges,
    coalesce(sum(odd), 0)::int as odd
  from n full join e using (bucket)
  group by 1 having coalesce(sum(nodes), 0) + coalesce(sum(edges), 0) + coalesce(sum(odd), 0) > 0 order by 1`

export type HeadRow = Omit<Head, 'handle' | 'digest'> & { high: number | null; low: number | null }

const heads = (condition: Statement, generation: number): Statement<HeadRow> => sql<HeadRow>`
  select n.id, n.subject, n.bucket::int as bucket, n.revision, n.digest_high as high, n.digest_low as low, n.gone_at is null as shown, ${ODD} as odd,
    (select count(*)::int from graph.edges e where e.tenant_id = n.tenant_id and e.owner = n.id and e.generation = n.generation) as degree
  from graph.nodes n where n.tenant_id = twofold.current_tenant() and n.generation = ${generation}::int and ${condition}`

export const readHeads = (which: Which, generation: number): Statement<HeadRow> =>
  sql<HeadRow>`${heads('ids' in which ? sql`n.id = any(${which.ids}::uuid[])` : sql`n.bucket = any(${which.buckets}::smallint[])`, generation)} order by n.id`

export const strayNodes = (most: number, generation: number): Statement<HeadRow> =>
  sql<HeadRow>`${heads(sql`(${ODD} or n.bucket <> twofold.bucket_of(n.id))`, generation)} order by n.id limit ${most}::int`

const shown = (owner: Statement, generation: number): Statement => sql`
  exists (select from graph.nodes n where n.tenant_id = twofold.current_tenant() and n.id = ${owner} and n.generation = ${generation}::int and n.gone_at is null offset 0)`

export type StrayRow = Omit<StrayEdge, 'handle'>

export const strayEdges = (most: number, generation: number): Statement<StrayRow> => sql<StrayRow>`
  select e.type, e.from_id as "from", e.to_id as "to", e.relation, e.namespace, e.owner from graph.edges e
  where e.tenant_id = twofold.current_tenant() and e.generation = ${generation}::int and not ${shown(sql`e.owner`, generation)}
  order by e.owner, e.type, e.from_id, e.to_id, e.relation limit ${most}::int`

export const claimants = (ids: readonly string[], generation: number): Statement<{ owner: string }> => sql<{ owner: string }>`
  select distinct e.owner from graph.edges e
  where e.tenant_id = twofold.current_tenant() and e.generation = ${generation}::int
    and (e.from_id = any(${ids}::uuid[]) or e.to_id = any(${ids}::uuid[])) and e.owner <> all(${ids}::uuid[])`

/** Nodes that still are as they were reported; they are locked first, so that what they assert goes with them or stays with them. */
export const pruneNodes = (nodes: readonly Head[], generation: number): Statement<{ removed: number }> => sql<{ removed: number }>`
  with w as (
    select * from jsonb_to_recordset(${JSON.stringify(
      nodes.map(({ id, revision, digest }) => ({ id, revision, high: digest?.[0], low: digest?.[1] })),
    )}::jsonb) as w (id uuid, revision int, high int, low int)),
  gone as (
    delete from graph.nodes n using w
    where n.tenant_id = twofold.current_tenant() and n.generation = ${generation}::int and n.id = w.id and n.revision = w.revision
      and (n.digest_high, n.digest_low) is not distinct from (w.high, w.low)
    returning n.id),
  edges as (
    delete from graph.edges e
    where e.tenant_id = twofold.current_tenant() and e.generation = ${generation}::int and e.owner = any(array(select id from gone))
    returning 1)
  select (select count(*) from gone)::int + (select count(*) from edges)::int as removed`

export const pruneOwners = (owners: readonly string[], generation: number): Statement<{ removed: number }> => sql<{ removed: number }>`
  with edges as (
    delete from graph.edges e
    where e.tenant_id = twofold.current_tenant() and e.generation = ${generation}::int and e.owner = any(${owners}::uuid[])
      and not ${shown(sql`e.owner`, generation)}
    returning 1)
  select count(*)::int as removed from edges`

export const pruneEdges = (edges: readonly StrayEdge[], generation: number): Statement<{ removed: number }> => sql<{ removed: number }>`
  with w as (
    select * from jsonb_to_recordset(${JSON.stringify(edges)}::jsonb) as w (owner uuid, type text, "from" uuid, "to" uuid, relation text)),
  edges as (
    delete from graph.edges e using w
    where e.tenant_id = twofold.current_tenant() and e.generation = ${generation}::int and e.owner = w.owner and e.type = w.type
      and e.from_id = w."from" and e.to_id = w."to" and e.relation = w.relation and not ${shown(sql`e.owner`, generation)}
    returning 1)
  select count(*)::int as removed from edges`
