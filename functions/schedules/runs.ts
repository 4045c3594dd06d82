import { DROPPED_MS, dropAgain, dropRetired, RETIRED_MS } from '@twofold/core/consistency/retire.ts'
import { goOn } from '@twofold/core/consistency/run.ts'
import { graph } from '../parts/graph.ts'
import { queue } from '../parts/queue.ts'
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
  needs: [graph, queue],
  work: (round) =>
    forTenants(round, [
      { name: 'runs', graph: true, work: (tenant) => goOn(round.deps, tenant, round) },
      { name: 'retired', graph: true, age: RETIRED_MS, work: (tenant) => dropRetired(round.deps, tenant, round.until) },
      { name: 'dropped', graph: true, age: DROPPED_MS, work: (tenant) => dropAgain(round.deps, tenant, round.until) },
    ]),
})

export const handler = runs.handler
