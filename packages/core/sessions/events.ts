import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { LEAST_EVENTS } from './archive.ts'
import { firstOf } from './page.sql.ts'
import { called, noSession } from './session.ts'

export const SessionEvent = z
  .object({ seq: z.number(), event: z.record(z.string(), z.json()), taskId: z.string().nullable(), createdAt: z.string() })
  .meta({ id: 'SessionEvent' })
export type SessionEvent = z.infer<typeof SessionEvent>

export interface EventsQuery {
  /** Those after this number. */
  after: number
  taskId?: string
  limit: number
}

interface Row {
  /** Where the pages that were opened end, when there may be more of them. */
  horizon: number | null
  item: SessionEvent | null
  more: boolean | null
}

/** Archived pages opened for one answer: a page has two hundred events at least, or else so many bytes that few fit into an answer. */
const pagesFor = ({ limit, taskId }: EventsQuery): number => (taskId === undefined ? 1 + Math.ceil(limit / LEAST_EVENTS) : 4)

/**
 * What happened in a session, in its order, wherever it is kept; `next` is the number after which to go on. Fewer than
 * `limit` where they are large, or where a task's lie far apart. Refuses `not_found`.
 */
export async function listEvents(
  deps: Deps,
  caller: Caller,
  id: string,
  query: EventsQuery,
): Promise<{ items: SessionEvent[]; next: number | null }> {
  const { rows } = await deps.db.asCaller(caller, null, [selectEvents(called(id), query)])
  const found = rows[0]
  const last = found.at(-1)
  if (!last) throw noSession()
  const items = found.flatMap(({ item }) => (item ? [item] : []))
  return { items, next: last.more ? (last.item?.seq ?? null) : last.horizon }
}

const selectEvents = (mine: Statement, query: EventsQuery): Statement<Row> => {
  const { after, taskId, limit } = query
  const pages = pagesFor(query)
  const ofTask = taskId === undefined ? sql`true` : sql`e.task_id = ${taskId}`
  return sql<Row>`
    with it as materialized (select s.id from sessions s where ${mine}),
    pages as materialized (
      select p.* from it cross join lateral (
        select a.last_seq, a.events from archived_events a
        where a.tenant_id = current_tenant() and a.session_id = it.id and a.last_seq > ${after}::int
          and ${taskId === undefined ? sql`true` : sql`${taskId} = any(a.tasks)`}
        order by a.last_seq limit ${pages}::int) p),
    horizon as materialized (select case when count(*) = ${pages}::int then max(last_seq) end as seq from pages),
    found as (
      (select e.seq, e.event, e.bytes, e.task_id, e.created_at
      from pages p cross join json_to_recordset(p.events) as e (seq int, event json, bytes int, task_id text, created_at timestamptz)
      where e.seq > ${after}::int and ${ofTask}
      order by e.seq limit ${limit + 1}::int)
      union all
      (select e.seq, e.event, e.bytes, e.task_id, e.created_at
      from it cross join lateral (
        select e.* from session_events e
        where e.tenant_id = current_tenant() and e.session_id = it.id and e.seq > ${after}::int and ${ofTask} and (select h.seq from horizon h) is null
        order by e.seq limit ${limit + 1}::int) e))
    select (select h.seq from horizon h) as horizon, p.more,
      case when p.seq is not null then json_build_object('seq', p.seq, 'event', p.event, 'taskId', p.task_id, 'createdAt', iso(p.created_at)) end as item
    from it left join (${firstOf(sql`select * from found order by seq limit ${limit + 1}::int`, sql`r.seq`, limit)}) p on true
    order by p.seq`
}
