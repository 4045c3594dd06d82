import { retryOld } from '@twofold/core/graph/parked.ts'
import { graph } from '../parts/graph.ts'
import { scheduled } from './scheduled.ts'
import { forTenants } from './tenants.ts'

/** How long what the graph refuses is left alone. */
const PARKED_MS = 24 * 3600_000
/** Of one tenant at once: each is written by itself. */
const MOST_ROWS = 50

/** Offers what the graph refused in every attempt to it again, once a day: what stood in the way may have gone. */
export const poison = scheduled({
  name: 'poison',
  every: 'POISON_INTERVAL_MS',
  longestMs: 45_000,
  needs: [graph],
  work(round) {
    const { deps } = round
    const before = new Date(deps.now().getTime() - PARKED_MS)
    const retry = async (tenant: string) => (await retryOld(deps, tenant, before, MOST_ROWS)) === MOST_ROWS
    return forTenants(round, [{ name: 'parked', graph: true, age: PARKED_MS, work: retry }])
  },
})

export const handler = poison.handler
