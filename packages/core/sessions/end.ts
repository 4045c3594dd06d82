import type { Caller } from '@twofold/operation/caller.ts'
import { afterWriting, Replay } from '../failures.ts'
import { claim } from '../idempotency.ts'
import { announce, type InSession, type Written } from '../memories/remember.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { readSession } from './read.ts'
import { called, noSession, type SessionAnswer, selectSession } from './session.ts'

/**
 * Ends a session: its `temp:` state goes, its memories stay, and the graph shows it as it ended. Refuses `not_found`, and
 * `invalid_transition` for one that has ended; of several who end it at once one does.
 */
export async function endSession(deps: Deps, caller: Caller, id: string, { session }: InSession = {}): Promise<Written<SessionAnswer>> {
  const now = deps.now().toISOString()
  const mine = called(id)
  const statements: Statement[] = [
    ...claim(caller, [{}], now),
    sql`select refuse('not_found', ${noSession().message}) where not exists (select from sessions s where ${mine})`,
    sql`with ended as (
          update sessions s set status = 'terminated', terminated_at = ${now}::timestamptz, version = s.version + 1,
            updated_at = greatest(${now}::timestamptz, s.updated_at + interval '1 ms'),
            state = (select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(s.state) where not starts_with(key, 'temp:'))
          where ${mine} and s.status in ('created', 'active', 'paused')
          returning s.id)
        select refuse('invalid_transition', 'The session has ended already.') where not exists (select from ended)`,
    sql`select audit('sessions.end', array[s.id], array[s.namespace], array[s.version], ${now}::timestamptz) from sessions s where ${mine}`,
    ...(deps.settings.graphEnabled
      ? [sql`select owe('session', array[s.id], array[s.subject], ${now}::timestamptz) from sessions s where ${mine}`]
      : []),
    sql`select s.id, s.subject from sessions s where ${mine}`,
    selectSession(mine),
  ]
  try {
    const { authorized, rows } = await deps.db.asCaller(caller, null, statements, {
      write: true,
      repeatable: caller.idempotency !== null,
    })
    const [ended, answer] = rows.slice(-2) as [{ id: string; subject: string }[], SessionAnswer[]]
    await announce(deps, caller, authorized, ended, { session })
    return { answer: answer[0] as SessionAnswer, replayed: false }
  } catch (error) {
    if (!(error instanceof Replay)) throw error
    return { answer: await afterWriting(readSession(deps, caller, id)), replayed: true }
  }
}
