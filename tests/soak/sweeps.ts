import { beginNightly, syncChanges } from '@twofold/core/consistency/by-itself.ts'
import { dropAgain, dropRetired } from '@twofold/core/consistency/retire.ts'
import { waitingRuns } from '@twofold/core/consistency/run.sql.ts'
import { advance } from '@twofold/core/consistency/run.ts'
import { collect } from '@twofold/core/entities/collect.ts'
import { forgetRequests } from '@twofold/core/forget-requests.ts'
import { catchUp } from '@twofold/core/graph/catch-up.ts'
import { retryOld } from '@twofold/core/graph/parked.ts'
import { purgeTombstones } from '@twofold/core/graph/purge.ts'
import { backfill } from '@twofold/core/memories/backfill.ts'
import { expire } from '@twofold/core/memories/expire.ts'
import { sweepPending } from '@twofold/core/memories/pending.ts'
import type { Deps } from '@twofold/core/ports.ts'
import type { Sweep } from './commands.ts'

export const NEVER = new AbortController().signal

const soon = (deps: Deps) => new Date(deps.now().getTime() + 20_000)

/** One round of what no request waits for, of one tenant. */
export const SWEEP: Record<Sweep, (deps: Deps, tenant: string) => Promise<unknown>> = {
  relay: (deps, tenant) => catchUp(deps, tenant, soon(deps)),
  pending: (deps, tenant) => sweepPending(deps, tenant),
  expire: (deps, tenant) => expire(deps, tenant),
  collect: (deps, tenant) => collect(deps, tenant),
  backfill: (deps, tenant) => backfill(deps, tenant, 64, NEVER),
  purge: (deps, tenant) => purgeTombstones(deps, tenant),
  requests: (deps, tenant) => forgetRequests(deps, tenant),
  changed: (deps, tenant) => syncChanges(deps, tenant, { until: soon(deps) }),
  nightly: (deps, tenant) => beginNightly(deps, tenant),
  // One after the other: which comes first may not depend on how long they take.
  async runs(deps, tenant) {
    const [waiting] = await deps.db.asTenant(tenant, [waitingRuns(deps.now().toISOString())])
    for (const { id } of waiting) await advance(deps, tenant, id, { until: soon(deps) })
  },
  poison: (deps, tenant) => retryOld(deps, tenant, deps.now(), 50),
  async retired(deps, tenant) {
    await dropRetired(deps, tenant, soon(deps))
    await dropAgain(deps, tenant, soon(deps))
  },
}
