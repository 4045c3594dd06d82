import type { Caller } from '@twofold/operation/caller.ts'
import type { InSession, Written } from '../memories/remember.ts'
import type { Deps } from '../ports.ts'
import { moveSession } from './move.ts'
import type { SessionAnswer } from './session.ts'

/**
 * Ends a session: its `temp:` state goes, its memories stay, and the graph shows it as it ended, with all it produced.
 * Refuses `not_found`, `version_mismatch`, and `invalid_transition` for one that has ended; of several who end it at once
 * one does.
 */
export const endSession = (deps: Deps, caller: Caller, id: string, options: InSession = {}): Promise<Written<SessionAnswer>> =>
  moveSession(deps, caller, id, 'terminated', options)
