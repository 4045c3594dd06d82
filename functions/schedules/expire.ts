import { collect } from '@twofold/core/entities/collect.ts'
import { expire as expireMemories } from '@twofold/core/memories/expire.ts'
import { scheduled } from './scheduled.ts'
import { forTenants } from './tenants.ts'

/** Of one tenant at once. */
const MOST_MEMORIES = 200
const MOST_ENTITIES = 500

/** What has had its time: memories that expire, and entities that nothing refers to any more. */
export const expire = scheduled({
  name: 'expire',
  every: 'EXPIRE_INTERVAL_MS',
  longestMs: 20_000,
  work: (round) =>
    forTenants(round, [
      { name: 'expired', work: async (tenant) => (await expireMemories(round.deps, tenant, MOST_MEMORIES)) === MOST_MEMORIES },
      { name: 'collect', work: async (tenant) => (await collect(round.deps, tenant, MOST_ENTITIES)).looked === MOST_ENTITIES },
    ]),
})

export const handler = expire.handler
