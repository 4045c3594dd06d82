import type { Caller } from '@twofold/operation/caller.ts'
import { afterWriting, type Replay } from '../failures.ts'
import { gone } from '../memories/replay.ts'
import type { Deps } from '../ports.ts'
import { called, identified, noSession, type SessionAnswer, selectSession } from './session.ts'

/** One session, by the caller's own id. Refuses `not_found`, also for what lies outside the caller's grant. */
export async function readSession(deps: Deps, caller: Caller, id: string): Promise<SessionAnswer> {
  const { rows } = await deps.db.asCaller(caller, null, [selectSession(called(id))])
  if (!rows[0][0]) throw noSession()
  return rows[0][0]
}

/** What an earlier, identical request wrote to, as it is now: sessions keep no versions. Refuses `gone` when it has been deleted since. */
export async function readReplayed(deps: Deps, caller: Caller, { targets }: Replay): Promise<SessionAnswer> {
  const { rows } = await afterWriting(deps.db.asCaller(caller, null, [selectSession(identified(targets[0]?.id ?? null))]))
  if (!rows[0][0]) throw gone()
  return rows[0][0]
}
