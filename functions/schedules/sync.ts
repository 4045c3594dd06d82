import { syncChanges } from '@twofold/core/consistency/by-itself.ts'
import { graph } from '../parts/graph.ts'
import { scheduled } from './scheduled.ts'
import { forTenants } from './tenants.ts'

/** Looks again at what was shown since the last time: whether the graph has what it said it took. Repairs what differs. */
export const sync = scheduled({
  name: 'sync',
  every: 'SYNC_INTERVAL_MS',
  longestMs: 45_000,
  needs: [graph],
  autoSync: true,
  work: (round) => forTenants(round, [{ name: 'changed', graph: true, work: (tenant) => syncChanges(round.deps, tenant, round) }]),
})

export const handler = sync.handler
