import { backfill } from '@twofold/core/memories/backfill.ts'
import { embedder } from '../parts/embedder.ts'
import { extractor } from '../parts/extractor.ts'
import { queue } from '../parts/queue.ts'
import { scheduled } from './scheduled.ts'
import { tenantsWith } from './tenants.ts'

const MOST_TENANTS = 20
/** Memories of one tenant in one round: with the embedded model a few seconds of work. */
const MOST_MEMORIES = 64

/** One round of what models owe: vectors and entities that were not there in time. Answers how many memories were looked at. */
export const reembed = scheduled({
  name: 'reembed',
  every: 'REEMBED_INTERVAL_MS',
  longestMs: 50_000,
  needs: [embedder, extractor, queue],
  async work({ deps, signal }) {
    const [tenants] = await deps.db.across([tenantsWith({ name: 'models' }, deps.now(), MOST_TENANTS)])
    let memories = 0
    for (const { tenant } of tenants) memories += await backfill(deps, tenant, MOST_MEMORIES, signal)
    return { memories }
  },
})

export const handler = reembed.handler
