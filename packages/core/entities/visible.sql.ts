import type { Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'

/** `column`, a namespace or a subject, lies in the caller's grants, and in one of `ranges` when the request names any. */
export const inside = (column: Statement, ranges: readonly Range[] | null): Statement =>
  ranges === null ? sql`visible(${column})` : sql`(visible(${column}) and ${within(column, ranges)})`

export const within = (column: Statement, ranges: readonly Range[]): Statement => sql`exists (
  select from unnest(${ranges.map((r) => r.low)}::text[], ${ranges.map((r) => r.high)}::text[]) w (low, high)
  where ${column} >= w.low collate "C" and ${column} < w.high collate "C")`

/** Of a readable memory `m`: neither deleted nor expired. */
export const live = (now: string): Statement => sql`(m.deleted_at is null and (m.expires_at is null or m.expires_at > ${now}::timestamptz))`

/**
 * Of an entity `e`: a live memory that the caller may see mentions it, or it was made explicitly and a grant covers its
 * whole subject.
 */
export const entityVisible = (ranges: readonly Range[] | null, now: string): Statement => sql`(
  (e.explicit and ${inside(sql`e.subject`, ranges)})
  or exists (
    select from memory_entities me join readable_memories m on m.tenant_id = me.tenant_id and m.id = me.memory_id
    where me.tenant_id = current_tenant() and me.entity_id = e.id and ${inside(sql`me.namespace`, ranges)} and ${live(now)}))`
