import { consolidateDue } from '@twofold/core/consolidation/schedule.ts'
import { language } from '../parts/language.ts'
import { queue } from '../parts/queue.ts'
import { scheduled } from './scheduled.ts'
import { forTenants } from './tenants.ts'

/** Namespaces of one tenant at once, of each one part. */
const MOST_NAMESPACES = 5

/** Merges what says the same in namespaces that somebody wants consolidated by themselves. */
export const consolidate = scheduled({
  name: 'consolidate',
  every: 'CONSOLIDATE_INTERVAL_MS',
  longestMs: 50_000,
  needs: [language, queue],
  work: (round) =>
    forTenants(round, [{ name: 'consolidate', work: (tenant) => consolidateDue(round.deps, tenant, MOST_NAMESPACES, round.signal) }]),
})

export const handler = consolidate.handler
