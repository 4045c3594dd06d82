import type { Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'

/** `column` (a namespace or a subject) lies in one of `ranges`. Spelled out, because only plain comparisons reach an index under row-level security. */
export const within = (column: Statement, ranges: readonly Range[]): Statement => {
  const each = ranges.map(({ low, high }) => sql`(${column} >= ${low} collate "C" and ${column} < ${high} collate "C")`)
  return each.length === 0 ? sql`false` : sql`(${each.slice(1).reduce((all, one) => sql`${all} or ${one}`, each[0] as Statement)})`
}

/** `column` lies in the caller's grants, and in one of `ranges` when the request names any. */
export const inside = (column: Statement, ranges: readonly Range[] | null): Statement =>
  ranges === null ? sql`visible(${column})` : sql`(${within(column, ranges)} and visible(${column}))`
