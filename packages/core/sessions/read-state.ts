import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { called } from './session.ts'
import { ownerOf, sharedOf, spelled } from './state.ts'

/** `version` is that of where the key lies: of the session, or of what all sessions of its user or app share. */
export const StateAnswer = z.object({ key: z.string(), value: z.json(), version: z.number() })
export type StateAnswer = z.infer<typeof StateAnswer>

export interface StateRow {
  there: boolean
  value: StateAnswer['value']
  version: number
}

export const noKey = () => new Refusal('not_found', 'There is no such session, or it has no such key.')

/** One key of a session's state. Refuses `not_found`, also for `app:` keys outside the caller's grant. */
export async function readState(deps: Deps, caller: Caller, id: string, key: string): Promise<StateAnswer> {
  const { rows } = await deps.db.asCaller(caller, null, [selectState(called(id), key)])
  const [row] = rows[0]
  if (!row?.there) throw noKey()
  return { key, value: row.value, version: row.version }
}

export function selectState(mine: Statement, key: string): Statement<StateRow> {
  const owner = ownerOf(key)
  if (owner === 'session') {
    return sql<StateRow>`select s.state ? ${spelled(key)} as there, s.state -> ${spelled(key)} as value, s.version from sessions s where ${mine}`
  }
  return sql<StateRow>`
    select t.state ? ${key} as there, t.state -> ${key} as value, t.version
    from shared_state t where ${sharedOf(mine, owner)} and visible(t.namespace)`
}
