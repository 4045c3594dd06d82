import type { Caller } from '@twofold/operation/caller.ts'
import { dotted } from '@twofold/operation/json.ts'
import * as z from 'zod-own'
import { Id } from '../memories/fields.ts'
import type { Written } from '../memories/remember.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { archiveOld } from './archive.ts'
import { change } from './change.ts'
import { readReplayed } from './read.ts'
import { nextVersion, RUNNING, Session, type SessionAnswer, selectSession } from './session.ts'
import { ownState, partOf, refuseLarge, type Sent, State, shareState } from './state.ts'

/** Of one event as JSON. */
export const MOST_EVENT_BYTES = 256 * 1024
/** In one call. */
export const MOST_EVENTS = 500

export const Event = z
  .record(z.string(), z.json(), 'must be a JSON object')
  .refine((event) => Buffer.byteLength(JSON.stringify(event)) <= MOST_EVENT_BYTES, `must have at most ${MOST_EVENT_BYTES} bytes as JSON`)

/** The fields of a request; `onlyOne` is held against them. */
export const EventsInput = z.strictObject({
  event: Event.optional(),
  events: z.array(Event).min(1).max(MOST_EVENTS).optional(),
  stateDelta: State.optional().meta({ description: 'A JSON merge patch (RFC 7396) of the state: null takes a key away.' }),
  taskId: Id.optional(),
})
export type EventsInput = z.infer<typeof EventsInput>

export const oneOrMany = (input: EventsInput, context: z.RefinementCtx): void => {
  if (input.event === undefined && input.events === undefined)
    context.addIssue({ code: 'custom', path: ['event'], message: 'is required, or events in its place' })
  if (input.event !== undefined && input.events !== undefined)
    context.addIssue({ code: 'custom', path: ['events'], message: 'cannot be given together with event' })
}

export const Appended = z.object({ seq: z.number(), session: Session })
export type Appended = z.infer<typeof Appended>

/**
 * Appends events to a session that has not ended, numbered from the last one on without a gap, whoever else appends, and
 * merges `stateDelta` into its state, all of it or nothing. `seq` is of the last one. Refuses `not_found`,
 * `version_mismatch`, `invalid_transition` for a session that has ended, `invalid` for `user:` state without a user and for
 * state that grows too large, `forbidden` for `app:` state outside the grant. The same request sent again is told the same
 * `seq`, and the session as it is by then; `gone` when it has been deleted.
 */
export async function appendEvents(deps: Deps, caller: Caller, id: string, input: EventsInput): Promise<Written<Appended>> {
  const events = input.events ?? [input.event as z.infer<typeof Event>]
  const delta = input.stateDelta ?? {}
  const kept = deps.settings.sessionEventsKept
  const { row, replay } = await change<SessionAnswer>(deps, caller, id, {
    action: 'sessions.append_event',
    from: RUNNING,
    otherwise: 'The session is %s: nothing happens in it any more.',
    statements: (mine, now) => [
      append(mine, events, delta, input.taskId ?? null, now),
      ...(partOf(delta, 'session') ? [refuseLarge(sql`s.state`, sql`sessions s where ${mine}`, DELTA)] : []),
      ...shareState(mine, delta, 'merge', DELTA, now),
      archiveOld(mine, kept),
    ],
    noted: () => sql`s.last_seq`,
    answer: selectSession,
  })
  if (!replay) return { answer: { seq: row.session.eventCount, ...row }, replayed: false }
  const { session } = await readReplayed(deps, caller, replay)
  return { answer: { seq: replay.targets[0]?.version as number, session }, replayed: true }
}

const DELTA: Sent = { path: 'stateDelta', of: (key) => dotted(['stateDelta', key]) }

/** The numbers come from the session's own row, so they are taken by who holds it, and given back with the transaction. */
const append = (mine: Statement, events: readonly unknown[], delta: State, taskId: string | null, now: string): Statement => sql`
  with tail as (
    update sessions s set last_seq = s.last_seq + ${events.length}::int, ${ownState(delta, 'merge')} ${nextVersion(now)}
    where ${mine} returning s.id, s.last_seq - ${events.length}::int as before)
  insert into session_events (tenant_id, session_id, seq, event, bytes, task_id, created_at)
  select current_tenant(), t.id, t.before + e.n, e.event, octet_length(e.event::text), ${taskId}, ${now}::timestamptz
  from tail t cross join json_array_elements(${JSON.stringify(events)}::json) with ordinality e (event, n)`
