import { inside } from '../namespaces/inside.sql.ts'
import type { Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { live } from './live.sql.ts'
import type { Memory } from './memory.ts'
import { namedEntities } from './recall.sql.ts'

/** Of each entity so many of its newest mentions are looked at. */
const MENTIONS = 300

interface Naming {
  terms: readonly number[]
  ranges: readonly Range[]
  subjects: readonly string[] | null
  most: number
}

/** Open commitments and decisions that mention an entity whose whole name is in the query, newest first. */
export const aboutNamed = ({ terms, ranges, subjects, most }: Naming, now: string): Statement<{ memory: Memory }> => sql<{
  memory: Memory
}>`
  with ${namedEntities({ terms, subjects })},
  mentioning as materialized (
    select distinct x.memory_id
    from named n
    cross join lateral (
      select me.memory_id from memory_entities me
      where me.tenant_id = current_tenant() and me.entity_id = n.entity_id order by me.memory_id desc limit ${MENTIONS}::int) x)
  select m.json as memory
  from mentioning x
  cross join lateral (
    select m.id, m.json, m.occurred_at from readable_memories m
    where m.tenant_id = current_tenant() and m.id = x.memory_id and ${inside(sql`m.namespace`, ranges)} and ${live(now)}
      and (m.kind = 'decision' or (m.kind = 'commitment' and m.status = 'open')) offset 0) m
  order by m.occurred_at desc, m.id desc limit ${most}::int`
