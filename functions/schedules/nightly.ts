import { beginNightly } from '@twofold/core/consistency/by-itself.ts'
import { lastAt, scheduled } from './scheduled.ts'
import { forTenants } from './tenants.ts'

/** Begins a deep check of every tenant, once a night; `runs` brings them to their end. */
export const nightly = scheduled({
  name: 'nightly',
  every: 'NIGHTLY_HOUR',
  longestMs: 45_000,
  needs: [],
  autoSync: true,
  work(round) {
    const { deps } = round
    const night = lastAt(deps.settings.nightlyHour, deps.now())
    const age = deps.now().getTime() - night.getTime()
    return forTenants(round, [{ name: 'nightly', graph: true, age, work: (tenant) => beginNightly(deps, tenant) }])
  },
})

export const handler = nightly.handler
