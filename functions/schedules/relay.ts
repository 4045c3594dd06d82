import { catchUp } from '@twofold/core/graph/catch-up.ts'
import { sweepPending } from '@twofold/core/memories/pending.ts'
import { graph } from '../parts/graph.ts'
import { queue } from '../parts/queue.ts'
import { scheduled } from './scheduled.ts'
import { forTenants } from './tenants.ts'

/**
 * What the graph is owed and nobody is at: writes whose request died before the graph decided, and graph writes that a
 * lost nudge left behind.
 */
export const relay = scheduled({
  name: 'relay',
  every: 'RELAY_INTERVAL_MS',
  // Less than the minute until the next.
  longestMs: 20_000,
  needs: [graph, queue],
  work: (round) =>
    forTenants(round, [
      { name: 'pending', work: (tenant) => sweepPending(round.deps, tenant) },
      { name: 'graph', graph: true, work: (tenant) => catchUp(round.deps, tenant, round.until) },
    ]),
})

export const handler = relay.handler
