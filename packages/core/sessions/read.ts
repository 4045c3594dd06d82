import type { Caller } from '@twofold/operation/caller.ts'
import type { Deps } from '../ports.ts'
import type { Statement } from '../sql.ts'
import { called, noSession, type SessionAnswer, selectSession } from './session.ts'

/** One session, by the caller's own id. Refuses `not_found`, also for what lies outside the caller's grant. */
export const readSession = (deps: Deps, caller: Caller, id: string): Promise<SessionAnswer> => readWhere(deps, caller, called(id))

/** The same for any condition over `s`. */
export async function readWhere(deps: Deps, caller: Caller, where: Statement): Promise<SessionAnswer> {
  const { rows } = await deps.db.asCaller(caller, null, [selectSession(where)])
  if (!rows[0][0]) throw noSession()
  return rows[0][0]
}
