import { forgetAudit, retentionMs } from '@twofold/core/audit/forget.ts'
import { forgetHistory, HISTORY_MS } from '@twofold/core/consistency/forget-history.ts'
import { forgetRequests, REQUEST_MS } from '@twofold/core/forget-requests.ts'
import { purgeTombstones, TOMBSTONE_MS } from '@twofold/core/graph/purge.ts'
import { graph } from '../parts/graph.ts'
import { scheduled } from './scheduled.ts'
import { forTenants } from './tenants.ts'

/** Requests of one tenant forgotten at once. */
const MOST_REQUESTS = 1000

/** What is kept for 24 hours and no longer: answered requests, and the graph's tombstones; for 30 days what runs found; and the audit as long as the configuration says. */
export const purge = scheduled({
  name: 'purge',
  every: 'PURGE_INTERVAL_MS',
  longestMs: 20_000,
  needs: [graph],
  work(round) {
    const { deps } = round
    const requests = async (tenant: string) => (await forgetRequests(deps, tenant, MOST_REQUESTS)) === MOST_REQUESTS
    return forTenants(round, [
      { name: 'requests', age: REQUEST_MS, work: requests },
      { name: 'history', age: HISTORY_MS, work: (tenant) => forgetHistory(deps, tenant) },
      { name: 'audit', age: retentionMs(deps), work: (tenant) => forgetAudit(deps, tenant) },
      { name: 'tombstones', graph: true, age: TOMBSTONE_MS, work: (tenant) => purgeTombstones(deps, tenant) },
    ])
  },
})

export const handler = purge.handler
