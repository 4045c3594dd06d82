import type { Caller } from '@twofold/operation/caller.ts'
import { Replay } from '../failures.ts'
import { claim, noteTarget } from '../idempotency.ts'
import { announce, type InSession } from '../memories/remember.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { called, noSession, type Status } from './session.ts'

export interface Change<Row> {
  /** For the audit. */
  action: string
  /** The statuses in which it can be made; null: all. */
  from: readonly Status[] | null
  /** Why it cannot in any other, with the present one as `%s`. */
  otherwise: string
  /** Whether `If-Match` names the session's own version. */
  versioned?: boolean
  /** What is done to the session `s`, which is locked and as it should be. */
  statements(mine: Statement, now: string): readonly Statement[]
  /** The number, over `s`, that a replay is to know. */
  noted?: (mine: Statement) => Statement
  /** Whether the graph shows what is changed. */
  shown?: boolean
  answer(mine: Statement): Statement<Row>
}

/** What came of a change; or that the same request made it before. */
export type Changed<Row> = { row: Row; replay: null } | { row: null; replay: Replay }

/**
 * Changes one session in one statement list, after everybody else who is at it: the one way in which sessions change.
 * Refuses `not_found`, `version_mismatch` with the current version, and `invalid_transition` in a status that does not
 * allow it.
 */
export async function change<Row>(
  deps: Deps,
  caller: Caller,
  id: string,
  { action, from, otherwise, versioned = true, statements, noted, shown = false, answer }: Change<Row>,
  { session }: InSession = {},
): Promise<Changed<Row>> {
  const now = deps.now().toISOString()
  const mine = called(id)
  const owes = shown && deps.settings.graphEnabled
  const list = [
    ...claim(caller, [{}], now),
    guard(mine, versioned ? caller.ifMatch : null, from, otherwise),
    ...statements(mine, now),
    sql`select audit(${action}, array[s.id], array[s.namespace], array[s.version], ${now}::timestamptz) from sessions s where ${mine}`,
    ...(owes ? [sql`select owe('session', array[s.id], array[s.subject], ${now}::timestamptz) from sessions s where ${mine}`] : []),
    ...noteTarget(caller, sql`select s.id, ${noted?.(mine) ?? sql`s.version`} as version from sessions s where ${mine}`),
    answer(mine),
    ...(shown ? [sql`select s.id, s.subject from sessions s where ${mine}`] : []),
  ]
  try {
    const { authorized, rows } = await deps.db.asCaller(caller, null, list, { write: true, repeatable: caller.idempotency !== null })
    if (shown) await announce(deps, caller, authorized, rows.at(-1) as { id: string; subject: string }[], { session })
    return { row: rows.at(shown ? -2 : -1)?.[0] as Row, replay: null }
  } catch (error) {
    if (!(error instanceof Replay)) throw error
    return { row: null, replay: error }
  }
}

/** Locks the session, so that what follows finds it as it is looked at here. */
export const guard = (mine: Statement, version: number | null, from: readonly Status[] | null, otherwise: string): Statement => sql`
  with it as (select s.version, s.status from sessions s where ${mine} for no key update)
  select case
    when not exists (select from it) then refuse('not_found', ${noSession().message})
    when (select it.version from it) <> ${version}::int then (
      select refuse('version_mismatch', format('The session is at version %s.', it.version), jsonb_build_object('currentVersion', it.version)) from it)
    when (select it.status from it) <> all(${from}::text[]) then (
      select refuse('invalid_transition', format(${otherwise}, it.status), jsonb_build_object('currentStatus', it.status)) from it)
  end`
