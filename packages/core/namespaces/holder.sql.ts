import type { Which } from '../memories/which.sql.ts'
import { sql } from '../sql.ts'
import { exactly } from './namespace.ts'

/** A named place for a memory. */
export interface Place {
  namespace: string
  key: string
}

/**
 * The memory that a key leads to: the live one that has it, else the one that had it last. One subquery alone, whose answer is
 * a value to the planner: compared with a `coalesce` of two, an id reached no index under row-level security.
 */
export function holder({ namespace, key }: Place): Which {
  const of = sql`from memories h where h.tenant_id = current_tenant() and h.namespace = ${namespace} and h.key = ${key} and h.pending_until is null`
  return {
    id: sql`(
      select w.id from (
        (select h.id, 1 as nth ${of} and h.deleted_at is null)
        union all
        (select h.id, 2 ${of} and h.deleted_at is not null order by h.deleted_at desc limit 1)) w
      order by w.nth limit 1)`,
    ranges: exactly(namespace),
    missing: 'There is no such key in this namespace.',
  }
}
