import { retryOld } from '@twofold/core/graph/parked.ts'
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
  async work(round) {
    const { deps } = round
    if (!deps.settings.graphEnabled) return {}
    const before = new Date(deps.now().getTime() - PARKED_MS)
    return forTenants(round, [
      { name: 'parked', age: PARKED_MS, work: async (tenant) => (await retryOld(deps, tenant, before, MOST_ROWS)) === MOST_ROWS },
    ])
  },
})

export const handler = poison.handler
