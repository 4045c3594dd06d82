import { backfill } from '@twofold/core/memories/backfill.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { composed } from '../deps.ts'

const MOST_TENANTS = 20
/** Memories of one tenant in one round: with the embedded model a few seconds of work. */
const MOST_MEMORIES = 64
const ROUND_MS = 50_000

/** One round of what models owe: vectors and entities that were not there in time. Answers how many memories were looked at. */
export const reembed = (deps: Deps) => async (): Promise<{ memories: number }> => {
  const signal = AbortSignal.timeout(ROUND_MS)
  const [tenants] = await deps.db.across([
    sql<{ tenant: string }>`select tenant from tenants_with('models', ${deps.now().toISOString()}::timestamptz, ${MOST_TENANTS}::int)`,
  ])
  let memories = 0
  for (const { tenant } of tenants) memories += await backfill(deps, tenant, MOST_MEMORIES, signal)
  return { memories }
}

export const handler = async () => reembed((await composed()).deps)()
