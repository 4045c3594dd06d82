import type { Caller } from '@twofold/operation/caller.ts'
import type { Authorized, Deps, Range } from '../ports.ts'

/**
 * Makes sure that the database has verified this key within the last minute, before anything is spent on it (a model
 * call). Costs a round trip only for a key not seen lately. The request itself is authorized again where it answers.
 */
export async function introduce(deps: Deps, caller: Caller, ranges: readonly Range[] | null): Promise<Authorized> {
  return deps.verifiedKeys.get(caller.keyHash) ?? (await deps.db.asCaller(caller, ranges, [])).authorized
}
