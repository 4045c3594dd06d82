import { live } from '../memories/live.sql.ts'
import { inside } from '../namespaces/inside.sql.ts'
import type { Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'

/**
 * Of an entity `e`: a live memory that the caller may see mentions it, or it (or one that was merged into it) was made
 * explicitly and a grant covers its whole subject. What was merged into another is not shown by itself. `offset 0` keeps it a look-up for each entity: else all mentions of the tenant are hashed first.
 */
export const entityVisible = (ranges: readonly Range[] | null, now: string): Statement => sql`(e.kept_id is null and (
  (e.explicit and ${inside(sql`e.subject`, ranges)})
  or exists (
    select from memory_entities me join readable_memories m on m.tenant_id = me.tenant_id and m.id = me.memory_id
    where me.tenant_id = current_tenant() and me.entity_id = e.id and ${inside(sql`me.namespace`, ranges)} and ${live(now)} offset 0)
  or (${inside(sql`e.subject`, ranges)} and exists (
    select from entities a where a.tenant_id = current_tenant() and a.kept_id = e.id and a.explicit offset 0))))`
