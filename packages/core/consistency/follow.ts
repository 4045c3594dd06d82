import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { granted } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { answerOf, type SyncAnswer } from './answer.ts'
import { askToStop, type RunRow, readRun } from './run.sql.ts'
import { advance } from './run.ts'
import { scopeOf } from './scope.ts'

/** How a run stands. Refuses `not_found` for one that looks where the key may not. */
export async function followRun(deps: Deps, caller: Caller, id: string): Promise<SyncAnswer> {
  return answerOf((await read(deps, caller, id)).run, deps.now())
}

/**
 * Stops a run after the step it is at; what it has repaired stays, and a generation that it was filling goes. A run that
 * has ended stays as it ended. Refuses `not_found` like `followRun`.
 */
export async function stopRun(deps: Deps, caller: Caller, id: string): Promise<SyncAnswer> {
  const { tenant } = await read(deps, caller, id)
  const [asked] = await deps.db.asTenant(tenant, [askToStop(id)])
  // Nobody may be at it just now; whoever is sees it after his step.
  if (asked.length > 0) await advance(deps, tenant, id, { until: deps.now(), signal: caller.signal })
  return followRun(deps, caller, id)
}

async function read(deps: Deps, caller: Caller, id: string): Promise<{ tenant: string; run: RunRow }> {
  const { authorized, rows } = await deps.db.asCaller(caller, null, [readRun(id)])
  const [run] = rows[0]
  const grants = granted(authorized.grants)
  const covered = ({ low, high }: { low: string; high: string }) => grants.some((grant) => grant.low <= low && high <= grant.high)
  if (!run || !scopeOf(run.prefixes).ranges.every(covered)) throw new Refusal('not_found', 'There is no such run.')
  return { tenant: authorized.tenant, run }
}
