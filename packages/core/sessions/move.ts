import type { Caller } from '@twofold/operation/caller.ts'
import type { InSession, Written } from '../memories/remember.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { change } from './change.ts'
import { readReplayed } from './read.ts'
import { laterThan, nextVersion, RUNNING, type SessionAnswer, type Status, selectSession } from './session.ts'

/** From where a session comes into each status. */
const FROM: Record<Status, readonly Status[]> = {
  created: [],
  active: ['created', 'paused'],
  paused: ['active'],
  terminated: RUNNING,
  archived: ['terminated'],
}

/**
 * Brings a session into another status, which the graph shows; `terminated` as `endSession` does. Refuses `not_found`,
 * `version_mismatch`, and `invalid_transition` for a move that there is not; of several who make it at once one does.
 */
export async function moveSession(
  deps: Deps,
  caller: Caller,
  id: string,
  to: Status,
  options: InSession = {},
): Promise<Written<SessionAnswer>> {
  const { row, replay } = await change(
    deps,
    caller,
    id,
    {
      action: to === 'terminated' ? 'sessions.end' : 'sessions.update_status',
      from: FROM[to],
      otherwise: `A session that is %s cannot become ${to}.`,
      shown: true,
      statements: (mine, now) => [sql`update sessions s set status = ${to}, ${nextVersion(now)} ${ALSO[to]?.(now) ?? sql``} where ${mine}`],
      answer: selectSession,
    },
    options,
  )
  return replay ? { answer: await readReplayed(deps, caller, replay), replayed: true } : { answer: row, replayed: false }
}

/** What else comes with a status. */
const ALSO: Partial<Record<Status, (now: string) => Statement>> = {
  terminated: (now) => sql`, terminated_at = ${laterThan(now)},
    state = (select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(s.state) where not starts_with(key, 'temp:'))`,
  archived: (now) => sql`, archived_at = ${laterThan(now)}`,
}
