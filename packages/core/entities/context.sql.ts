import type { EntityNode } from '../graph/node.ts'
import { live } from '../memories/live.sql.ts'
import type { Memory } from '../memories/memory.ts'
import { type Statement, sql } from '../sql.ts'
import { keptId } from './read.ts'
import { entityVisible } from './visible.sql.ts'

type Row = { memory: Memory }

/** A memory that mentions an entity by two of its names mentions it once. */
const once = sql`(me.alias_id is null or not exists (
  select from memory_entities o where o.tenant_id = current_tenant() and o.memory_id = me.memory_id and o.entity_id = me.entity_id
    and (o.alias_id is null or o.alias_id < me.alias_id)))`

const readable = (columns: Statement, now: string): Statement => sql`
  select ${columns} from readable_memories m
  where m.tenant_id = current_tenant() and m.id = me.memory_id and visible(m.namespace) and ${live(now)}`

/** In the order of the ids, which is by creation: the index yields them so, and an entity of a thousand mentions costs no more than one of ten. */
export const mentioning = (id: string, limit: number, now: string): Statement<Row> => sql<Row>`
  select m.json as memory
  from memory_entities me
  cross join lateral (${readable(sql`m.json`, now)} and m.status is distinct from 'open' offset 0) m
  where me.tenant_id = current_tenant() and me.entity_id = ${keptId(id)} and ${once}
  order by me.memory_id desc limit ${limit}::int`

/** Led by the subject's open commitments, which are few; its mentions may be many. */
export const promised = (id: string, limit: number, now: string): Statement<Row> => sql<Row>`
  select m.json as memory
  from entities e
  cross join lateral (
    select m.* from readable_memories m
    where m.tenant_id = current_tenant() and m.kind = 'commitment' and m.status = 'open'
      and m.namespace >= e.subject and m.namespace < e.subject || ';' and m.subject = e.subject and visible(m.namespace) and ${live(now)} offset 0) m
  where e.tenant_id = current_tenant() and e.id = ${keptId(id)}
    and exists (select from memory_entities me where me.tenant_id = current_tenant() and me.memory_id = m.id and me.entity_id = e.id)
  order by m.due_at, m.id limit ${limit}::int`

export const firstMention = (id: string, now: string): Statement<{ at: string }> => sql<{ at: string }>`
  select m.at
  from memory_entities me
  cross join lateral (${readable(sql`iso(m.occurred_at) as at`, now)} offset 0) m
  where me.tenant_id = current_tenant() and me.entity_id = ${keptId(id)}
  order by me.memory_id limit 1`

/** So many of its newest memories are looked at for what else they mention. */
const LOOKED_AT = 200

export const coMentioned = (id: string, limit: number, now: string): Statement<{ node: EntityNode; memories: number }> => sql<{
  node: EntityNode
  memories: number
}>`
  with newest as materialized (
    select me.memory_id, me.entity_id
    from memory_entities me
    cross join lateral (${readable(sql`m.id`, now)} offset 0) m
    where me.tenant_id = current_tenant() and me.entity_id = ${keptId(id)} and ${once}
    order by me.memory_id desc limit ${LOOKED_AT}::int),
  beside as materialized (
    select o.entity_id, count(distinct n.memory_id)::int as memories
    from newest n
    cross join lateral (
      select o.entity_id from memory_entities o
      where o.tenant_id = current_tenant() and o.memory_id = n.memory_id and o.entity_id <> n.entity_id offset 0) o
    group by o.entity_id)
  select e.node, b.memories
  from (select * from beside order by memories desc, entity_id limit ${limit}::int) b
  cross join lateral (
    select entity_node(e) as node from entities e
    where e.tenant_id = current_tenant() and e.id = b.entity_id and ${entityVisible(null, now)} offset 0) e
  order by b.memories desc, b.entity_id`

/** What was merged into it, directly or not; shown where a grant covers the subject as a whole, since it may be named only where others look. */
export const aliasesOf = (id: string): Statement<{ node: EntityNode }> => sql<{ node: EntityNode }>`
  select a.node from (
    select e.id, entity_node(e) as node from entities e
    where e.tenant_id = current_tenant() and e.kept_id = ${keptId(id)} and visible(e.subject) offset 0) a
  order by a.id limit 100`
