import { catchUp } from '@twofold/core/graph/catch-up.ts'
import { sweepPending } from '@twofold/core/memories/pending.ts'
import { scheduled } from './scheduled.ts'
import { forTenants, type Work } from './tenants.ts'

/**
 * What the graph is owed and nobody is at: writes whose request died before the graph decided, and graph writes that a
 * lost nudge left behind.
 */
export const relay = scheduled({
  name: 'relay',
  every: 'RELAY_INTERVAL_MS',
  // Less than the minute until the next.
  longestMs: 20_000,
  work(round) {
    const { deps, until } = round
    const works: Work[] = [{ name: 'pending', work: (tenant) => sweepPending(deps, tenant) }]
    if (deps.settings.graphEnabled) works.push({ name: 'graph', work: (tenant) => catchUp(deps, tenant, until) })
    return forTenants(round, works)
  },
})

export const handler = relay.handler
