import { expireTurns } from '@twofold/core/conversations/expire.ts'
import { collect } from '@twofold/core/entities/collect.ts'
import { expire as expireMemories } from '@twofold/core/memories/expire.ts'
import { squash } from '@twofold/core/memories/squash.ts'
import { applyPolicies } from '@twofold/core/namespaces/apply-policies.ts'
import { queue } from '../parts/queue.ts'
import { scheduled } from './scheduled.ts'
import { forTenants } from './tenants.ts'

/** Of one tenant at once. */
const MOST_MEMORIES = 200
const MOST_ENTITIES = 500
const MOST_TURNS = 1000

/** What has had its time: memories and turns that expire, by their own time or a policy's, entities that nothing refers to any more, and old versions. */
export const expire = scheduled({
  name: 'expire',
  every: 'EXPIRE_INTERVAL_MS',
  longestMs: 20_000,
  needs: [queue],
  work: (round) =>
    forTenants(round, [
      { name: 'policies', work: (tenant) => applyPolicies(round.deps, tenant) },
      { name: 'expired', work: async (tenant) => (await expireMemories(round.deps, tenant, MOST_MEMORIES)) === MOST_MEMORIES },
      { name: 'turns', work: (tenant) => expireTurns(round.deps, tenant, MOST_TURNS) },
      { name: 'collect', work: async (tenant) => (await collect(round.deps, tenant, MOST_ENTITIES)).looked === MOST_ENTITIES },
      { name: 'squash', work: (tenant) => squash(round.deps, tenant) },
    ]),
})

export const handler = expire.handler
