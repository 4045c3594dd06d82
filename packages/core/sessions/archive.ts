import { type Statement, sql } from '../sql.ts'

/** So many are moved at least, or each append would write a page of its own. */
export const LEAST_EVENTS = 200
/** No fewer than one request can append, in number and (as they are stored) in bytes: so that moving keeps pace. */
const MOST_EVENTS = 500
const MOST_BYTES = 2 * 1024 * 1024

/**
 * Moves the oldest events of a session that has more than `kept` into an archived page: at most one page, at every two
 * hundredth event or so, in the transaction that appends and so under the session's lock. They stay readable as before.
 */
export const archiveOld = (mine: Statement, kept: number): Statement => sql`
  select archive_events(s.id, least(s.last_seq - ${kept}::int, s.archived_seq + ${MOST_EVENTS}::int), ${MOST_BYTES}::int)
  from sessions s where ${mine} and s.last_seq - s.archived_seq >= ${kept + LEAST_EVENTS}::int`
