import { type Statement, sql } from '@twofold/core/sql.ts'

const of = (generation: number): Statement => sql`tenant_id = twofold.current_tenant() and generation = ${generation}::int`

/**
 * Some nodes of a generation with what they assert; edges whose node is gone once there is none. Bucket by bucket, the
 * only index that leads to a generation without passing the other: what is left is reached by 1,024 look-ups at most,
 * however much of it there is. A bucket that there is not comes last.
 */
export const dropSome = (generation: number, most: number): Statement<{ removed: number }> => sql<{ removed: number }>`
  with slice as materialized (
    select id from (
      select n.id from generate_series(0, 1023) b (bucket)
      cross join lateral (select id from graph.nodes where ${of(generation)} and bucket = b.bucket::smallint limit ${most}::int) n
      union all select id from graph.nodes where ${of(generation)} and (bucket < 0 or bucket > 1023)) n
    limit ${most}::int),
  nodes as (delete from graph.nodes where ${of(generation)} and id = any(array(select id from slice)) returning 1),
  asserted as (delete from graph.edges where ${of(generation)} and owner = any(array(select id from slice))),
  stray as materialized (
    select ctid as place from graph.edges where ${of(generation)} and not exists (select from slice) limit ${most}::int),
  edges as (delete from graph.edges where ${of(generation)} and ctid = any(array(select place from stray)) returning 1)
  select (select count(*) from nodes)::int + (select count(*) from edges)::int as removed`
