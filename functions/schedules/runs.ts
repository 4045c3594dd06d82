import { DROPPED_MS, dropAgain, dropRetired, RETIRED_MS } from '@twofold/core/consistency/retire.ts'
import { goOn } from '@twofold/core/consistency/run.ts'
import { scheduled } from './scheduled.ts'
import { forTenants } from './tenants.ts'

/**
 * Goes on with every check, repair and rebuild that did not end where it was begun, or whose process died; and takes away
 * the generations of the graph that nobody reads any more.
 */
export const runs = scheduled({
  name: 'runs',
  every: 'RUNS_INTERVAL_MS',
  // Less than the minute until the next.
  longestMs: 45_000,
  async work(round) {
    const { deps } = round
    if (!deps.settings.graphEnabled) return {}
    return forTenants(round, [
      { name: 'runs', work: (tenant) => goOn(deps, tenant, round) },
      { name: 'retired', age: RETIRED_MS, work: (tenant) => dropRetired(deps, tenant, round.until) },
      { name: 'dropped', age: DROPPED_MS, work: (tenant) => dropAgain(deps, tenant, round.until) },
    ])
  },
})

export const handler = runs.handler
