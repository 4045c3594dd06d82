import { forgetHistory, HISTORY_MS } from '@twofold/core/consistency/forget-history.ts'
import { forgetRequests, REQUEST_MS } from '@twofold/core/forget-requests.ts'
import { purgeTombstones, TOMBSTONE_MS } from '@twofold/core/graph/purge.ts'
import { scheduled } from './scheduled.ts'
import { forTenants, type Work } from './tenants.ts'

/** Requests of one tenant forgotten at once. */
const MOST_REQUESTS = 1000

/** What is kept for 24 hours and no longer: answered requests, and the graph's tombstones; and for 30 days what runs found. */
export const purge = scheduled({
  name: 'purge',
  every: 'PURGE_INTERVAL_MS',
  longestMs: 20_000,
  work(round) {
    const { deps } = round
    const works: Work[] = [
      { name: 'requests', age: REQUEST_MS, work: async (tenant) => (await forgetRequests(deps, tenant, MOST_REQUESTS)) === MOST_REQUESTS },
      { name: 'history', age: HISTORY_MS, work: (tenant) => forgetHistory(deps, tenant) },
    ]
    if (deps.settings.graphEnabled) works.push({ name: 'tombstones', age: TOMBSTONE_MS, work: (tenant) => purgeTombstones(deps, tenant) })
    return forTenants(round, works)
  },
})

export const handler = purge.handler
