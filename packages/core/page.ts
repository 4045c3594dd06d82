/** Of one answer, over what it lists: Lambda takes 6 MB. */
export const MOST_BYTES = 4 * 1024 * 1024

/**
 * The first `limit` of these rows, which were asked for one more than that; fewer when they are large, but one at least.
 * `more` says whether another comes after them.
 */
export function firstOf<T>(rows: readonly T[], limit: number): { rows: T[]; more: boolean } {
  let bytes = 0
  let n = 0
  for (; n < Math.min(limit, rows.length) && bytes < MOST_BYTES; n++) bytes += Buffer.byteLength(JSON.stringify(rows[n]))
  return { rows: rows.slice(0, n), more: rows.length > n }
}
