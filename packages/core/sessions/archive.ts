import { type Statement, sql } from '../sql.ts'

/** So many are moved at least, or each append would write a page of its own. */
const LEAST_EVENTS = 200
/** No fewer than one request can append, in number and (as they are stored) in bytes: so that moving keeps pace. */
const MOST_EVENTS = 500
const MOST_BYTES = 2 * 1024 * 1024

/**
 * Moves the oldest events of a session that has more than `kept` into an archived page: at most one page, at every two
 * hundredth event or so, in the transaction that appends and so under the session's lock. They stay readable as before.
 */
export const archiveOld = (mine: Statement, kept: number): Statement => sql`
  with due as materialized (
    select s.id, s.archived_seq, s.last_seq - ${kept}::int as until from sessions s
    where ${mine} and s.last_seq - s.archived_seq >= ${kept + LEAST_EVENTS}::int),
  old as materialized (
    select o.* from due cross join lateral (
      select e.*, sum(e.bytes) over (order by e.seq) - e.bytes as before from session_events e
      where e.tenant_id = current_tenant() and e.session_id = due.id and e.seq > due.archived_seq and e.seq <= least(due.until, due.archived_seq + ${MOST_EVENTS}::int)) o
    where o.before < ${MOST_BYTES}::int),
  page as (
    insert into archived_events (tenant_id, session_id, last_seq, tasks, events)
    select current_tenant(), session_id, max(seq), coalesce(array_agg(distinct task_id) filter (where task_id is not null), '{}'),
      json_agg(json_build_object('seq', seq, 'event', event, 'bytes', bytes, 'task_id', task_id, 'created_at', created_at) order by seq)
    from old group by session_id
    returning session_id, last_seq),
  moved as (
    delete from session_events e using page
    where e.tenant_id = current_tenant() and e.session_id = page.session_id and e.seq <= page.last_seq)
  update sessions s set archived_seq = page.last_seq from page where ${mine}`
