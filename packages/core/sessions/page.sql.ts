import { MOST_BYTES } from '../page.ts'
import { type Statement, sql } from '../sql.ts'

/**
 * The first `limit` of `rows`, which have `bytes` and are asked for one more than that; fewer when they are large, but
 * one at least. Of each `more` says whether another comes after it.
 */
export const firstOf = (rows: Statement, order: Statement, limit: number): Statement => sql`
  select * from (
    select r.*, row_number() over w as n, lead(1) over w is not null as more, sum(r.bytes) over w - r.bytes as before
    from (${rows}) r window w as (order by ${order})) p
  where p.n <= ${limit}::int and p.before < ${MOST_BYTES}::int`
