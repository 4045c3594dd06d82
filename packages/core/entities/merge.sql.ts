import type { EntityNode } from '../graph/node.ts'
import { type Statement, sql } from '../sql.ts'
import type { Standing } from './write.sql.ts'

/** An entity asked for by its id, and what it is now: itself, or the one it was merged into. */
export interface Asked {
  asked: string
  id: string
  subject: string
}

/**
 * Keeps entities, and then all their other names, from being merged, taken apart, linked and collected by others, in the
 * order of their ids. Who holds the first knows all of the others: nobody else can add one.
 */
export const lockEntities = (ids: readonly string[]): Statement[] => [
  lockThese(sql`${ids}::uuid[]`),
  lockThese(sql`array(
    select a.id from unnest(${ids}::uuid[]) k (id)
    cross join lateral (select a.id from entities a where a.tenant_id = current_tenant() and a.kept_id = k.id offset 0) a)`),
]

const lockThese = (ids: Statement): Statement => sql`
  select e.id from entities e where e.tenant_id = current_tenant() and e.id = any(${ids}) order by e.id for update`

/** Raises unless both are there and stand for themselves. Runs after the locks, so that it sees what whoever held them left. */
export const refuseMerged = (id: string, into: string): Statement[] => [
  sql`select refuse('not_found', 'There is no such entity.')
    where (select count(*) from entities e where e.tenant_id = current_tenant() and e.id = any(${[id, into]}::uuid[])) < 2`,
  sql`select refuse('conflict', 'The entity is merged into another one already.', jsonb_build_object('mergedInto', e.merged_into))
    from ${meant(id)} e where e.kept_id is not null`,
  sql`select refuse('conflict', 'The entity to merge into was merged itself in this moment.', jsonb_build_object('mergedInto', e.merged_into))
    from ${meant(into)} e where e.kept_id is not null`,
]

/** Raises unless the first is merged into the other. */
export const refuseApart = (id: string, kept: string): Statement[] => [
  sql`select refuse('conflict', 'The entity is not merged into another one.') from ${meant(id)} e where e.kept_id is null`,
  // What it was merged into was itself merged, or another merger undone, since it was read.
  sql`select refuse('conflict', 'The entity is being merged by somebody else in this moment.') from ${meant(id)} e where e.kept_id <> ${kept}::uuid`,
]

/** By its id, whatever else is asked: an index of the merged ones alone seems to a planner the shorter way. */
const meant = (id: string): Statement => sql`
  (select e.merged_into, e.kept_id from entities e where e.tenant_id = current_tenant() and e.id = ${id}::uuid offset 0)`

/** Raises where more hangs on it than one transaction should move. */
export const refuseLarge = (id: string, most: number): Statement => sql`
  select refuse('invalid', ${`id: has more than ${most} mentions and relations; merge the other one into it`},
    jsonb_build_object('errors', jsonb_build_array(jsonb_build_object('path', 'id', 'message', ${`has more than ${most} mentions and relations; merge the other one into it`}::text))))
  from (select count(*) as n from (
    select from memory_entities me where me.tenant_id = current_tenant() and me.entity_id = ${id}::uuid
    union all select from relations r where r.tenant_id = current_tenant() and r.from_id = ${id}::uuid
    union all select from relations r where r.tenant_id = current_tenant() and r.to_id = ${id}::uuid
    union all select from links k where k.tenant_id = current_tenant() and k.from_id = ${id}::uuid
    union all select from links k where k.tenant_id = current_tenant() and k.to_id = ${id}::uuid
    limit ${most + 1}::int) x) c
  where c.n > ${most}::int`

/** An entity with everything that was merged into it, whatever it is merged into itself. */
const group = (id: string): Statement => sql`array(
  with recursive parts as (
    select ${id}::uuid as id
    union all select e.id from parts p
    cross join lateral (select e.id from entities e where e.tenant_id = current_tenant() and e.merged_into = p.id offset 0) e)
  select id from parts)`

/** Where mentions, relations and links stand that are about to move: by the entity that they mean, or by the names they were said by. */
interface Moving {
  mentions: Statement
  from: Statement
  to: Statement
}

const meaning = (id: string): Moving => ({
  mentions: sql`entity_id = ${id}::uuid`,
  from: sql`from_id = ${id}::uuid`,
  to: sql`to_id = ${id}::uuid`,
})

const saidBy = (id: string): Moving => ({
  mentions: sql`alias_id = any(${group(id)})`,
  from: sql`from_alias = any(${group(id)})`,
  to: sql`to_alias = any(${group(id)})`,
})

/**
 * Owes to the graph what is about to move: the memories, and beside these `ids` the entities that assert the links; at
 * most `most` of each are answered by id.
 */
const oweMoving = (moving: Moving, ids: Statement, now: string, most: number): Statement<{ ids: string[] | null }>[] => [
  sql<{ ids: string[] | null }>`
    select (array_agg(m.id))[1:${most}::int] as ids, owe('memory', array_agg(m.id), array_agg(m.subject), ${now}::timestamptz)
    from memories m
    where m.tenant_id = current_tenant() and m.id = any(array(
      select memory_id from memory_entities where tenant_id = current_tenant() and ${moving.mentions}
      union select memory_id from relations where tenant_id = current_tenant() and ${moving.from}
      union select memory_id from relations where tenant_id = current_tenant() and ${moving.to}))
    having count(*) > 0`,
  sql<{ ids: string[] | null }>`
    select (array_agg(e.id))[1:${most}::int] as ids, owe('entity', array_agg(e.id), array_agg(e.subject), ${now}::timestamptz)
    from entities e
    where e.tenant_id = current_tenant() and e.id = any(array(
      select unnest(${ids})
      union select from_id from links where tenant_id = current_tenant() and ${moving.from}
      union select from_id from links where tenant_id = current_tenant() and ${moving.to}))
    having count(*) > 0`,
]

/**
 * Makes two entities one: what means the first means the other from now on, and keeps the name it was said by. What was
 * merged into the first goes with it. Answers the ids of what is owed with it.
 */
export const join = (id: string, into: string, now: string, most: number): Statement<{ ids: string[] | null }>[] => [
  ...oweMoving(meaning(id), sql`array[${id}, ${into}]::uuid[]`, now, most),
  sql`update memory_entities set entity_id = ${into}::uuid, alias_id = coalesce(alias_id, ${id}::uuid)
    where tenant_id = current_tenant() and entity_id = ${id}::uuid`,
  ...(['relations', 'links'] as const).flatMap((table) => [
    moveEnd(table, 'from', sql`${into}::uuid`, sql`coalesce(from_alias, ${id}::uuid)`, meaning(id).from),
    moveEnd(table, 'to', sql`${into}::uuid`, sql`coalesce(to_alias, ${id}::uuid)`, meaning(id).to),
  ]),
  sql`update entities e set kept_id = ${into}::uuid, merged_into = case when e.id = ${id}::uuid then ${into}::uuid else e.merged_into end
    where e.tenant_id = current_tenant() and e.id = any(array(
      select ${id}::uuid union all select a.id from entities a where a.tenant_id = current_tenant() and a.kept_id = ${id}::uuid))`,
]

/** Takes them apart again: what was said by the name of the first, or of one merged into it, means the first as if they had never been one. */
export const part = (id: string, now: string, most: number): Statement<{ ids: string[] | null }>[] => [
  ...oweMoving(
    saidBy(id),
    sql`array(select unnest(array[e.id, e.kept_id]) from entities e where e.tenant_id = current_tenant() and e.id = ${id}::uuid)`,
    now,
    most,
  ),
  sql`update memory_entities set entity_id = ${id}::uuid, alias_id = nullif(alias_id, ${id}::uuid)
    where tenant_id = current_tenant() and ${saidBy(id).mentions}`,
  ...(['relations', 'links'] as const).flatMap((table) => [
    moveEnd(table, 'from', sql`${id}::uuid`, sql`nullif(from_alias, ${id}::uuid)`, saidBy(id).from),
    moveEnd(table, 'to', sql`${id}::uuid`, sql`nullif(to_alias, ${id}::uuid)`, saidBy(id).to),
  ]),
  // Either may be left with nothing that mentions it.
  sql`insert into collectable (tenant_id, entity_id, since)
    select current_tenant(), x.id, ${now}::timestamptz
    from (select unnest(array[e.id, e.kept_id]) as id from entities e where e.tenant_id = current_tenant() and e.id = ${id}::uuid) x order by x.id
    on conflict (tenant_id, entity_id) do update set since = excluded.since`,
  sql`update entities e set kept_id = nullif(${id}::uuid, e.id), merged_into = case when e.id <> ${id}::uuid then e.merged_into end
    where e.tenant_id = current_tenant() and e.id = any(${group(id)})`,
]

const moveEnd = (
  table: 'relations' | 'links',
  end: 'from' | 'to',
  entity: Statement,
  alias: Statement,
  where: Statement,
): Statement<any> => {
  const set = end === 'from' ? sql`from_id = ${entity}, from_alias = ${alias}` : sql`to_id = ${entity}, to_alias = ${alias}`
  const moved = sql`set ${set} where tenant_id = current_tenant() and ${where}`
  return table === 'relations' ? sql`update relations ${moved}` : sql`update links ${moved}`
}

export const auditEntities = (action: string, ids: readonly string[], now: string): Statement => sql`
  select audit(${action}, array_agg(e.id), array_agg(e.subject), null, ${now}::timestamptz)
  from entities e where e.tenant_id = current_tenant() and e.id = any(${ids}::uuid[])`

/** Entities by themselves, merged or not, in the order of the ids. */
export const selectRaw = (ids: readonly string[]): Statement<{ node: EntityNode }> => sql<{ node: EntityNode }>`
  select entity_node(e) as node from entities e where e.tenant_id = current_tenant() and e.id = any(${ids}::uuid[])
  order by array_position(${ids}::uuid[], e.id)`

/** How these stand with the graph. */
export const standing = (ids: readonly string[]): Statement<Standing> => sql<Standing>`
  select l.revision = l.shown as shown, iso(l.shown_at) as shown_at, l.parked_at is not null as parked
  from ledger l where l.tenant_id = current_tenant() and l.id = any(${ids}::uuid[])`
