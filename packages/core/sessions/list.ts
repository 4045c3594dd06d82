import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import { introduce } from '../keys/introduce.ts'
import { MemoryId, Moment } from '../memories/fields.ts'
import { inside } from '../namespaces/inside.sql.ts'
import { exactly, granted } from '../namespaces/namespace.ts'
import type { Deps, Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { firstOf } from './page.sql.ts'
import { type Session, STATUSES, type Status } from './session.ts'

/** Where a list goes on: after a session, or after one that was changed then. */
export const Position = z.strictObject({ id: MemoryId, at: Moment.optional() })
export type Position = z.infer<typeof Position>

export interface SessionsQuery {
  status?: Status
  userId?: string
  projectId?: string
  appName?: string
  updatedSince?: string
  limit: number
  after?: Position
}

interface Row extends Required<Position> {
  session: Session
  more: boolean
}

/**
 * Sessions in the order they were started; with `updatedSince` in the order of their last change, so that one that is
 * changed meanwhile comes again rather than not at all. Of a user outside the grant `forbidden`; without one it covers what
 * the key was last known to be granted, as ranges that an index knows.
 */
export async function listSessions(deps: Deps, caller: Caller, query: SessionsQuery): Promise<{ items: Session[]; next: Position | null }> {
  const ranges = query.userId === undefined ? granted((await introduce(deps, caller, null)).grants) : exactly(`user:${query.userId}`)
  const { rows } = await deps.db.asCaller(caller, ranges, [
    query.updatedSince === undefined ? started(query, ranges) : changed(query, ranges),
  ])
  const last = rows[0].at(-1)
  const position = last && (query.updatedSince === undefined ? { id: last.id } : { id: last.id, at: last.at })
  return { items: rows[0].map((row) => row.session), next: last?.more ? (position ?? null) : null }
}

const when = (given: unknown, condition: Statement): Statement => (given === undefined ? sql`true` : condition)

/** One user as an equation: its index then yields the sessions in their order. */
const wanted = (q: SessionsQuery, ranges: Range[]): Statement => sql`s.tenant_id = current_tenant()
  and ${q.userId === undefined ? inside(sql`s.namespace`, ranges) : sql`(s.namespace = ${`user:${q.userId}`} and visible(s.namespace))`}
  and ${when(q.userId, sql`s.user_id = ${q.userId}`)} and ${when(q.projectId, sql`s.project_id = ${q.projectId}`)} and ${when(q.appName, sql`s.app_name = ${q.appName}`)}`

const rendered = (rows: Statement, order: Statement, limit: number): Statement<Row> => sql<Row>`
  select p.session, p.id, p.at, p.more from (${firstOf(
    sql`select j.*, octet_length(j.session::text) as bytes from (select s.id, iso(s.updated_at) as at, session_json(s.it) as session from (${rows}) s) j`,
    order,
    limit,
  )}) p order by p.n`

const started = (q: SessionsQuery, ranges: Range[]): Statement<Row> =>
  rendered(
    sql`select s as it, s.id, s.updated_at from sessions s
      where ${wanted(q, ranges)} and ${when(q.status, sql`s.status = ${q.status}`)} and ${when(q.after, sql`s.id > ${q.after?.id}::uuid`)}
      order by s.id limit ${q.limit + 1}::int`,
    sql`r.id`,
    q.limit,
  )

/** Status by status, so that each reads what it needs of one index. */
const changed = (q: SessionsQuery, ranges: Range[]): Statement<Row> =>
  rendered(
    sql`select s.* from unnest(${q.status ? [q.status] : STATUSES}::text[]) w (status) cross join lateral (
        select s as it, s.id, s.updated_at from sessions s
        where ${wanted(q, ranges)} and s.status = w.status and s.updated_at >= ${q.updatedSince}::timestamptz
          and ${when(q.after, sql`(s.updated_at, s.id) > (${q.after?.at}::timestamptz, ${q.after?.id}::uuid)`)}
        order by s.updated_at, s.id limit ${q.limit + 1}::int) s
      order by s.updated_at, s.id limit ${q.limit + 1}::int`,
    sql`r.at, r.id`,
    q.limit,
  )
