import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import { readGeneration } from './query.sql.ts'

/** How long a tombstone keeps a stalled writer from bringing something back. */
export const TOMBSTONE_MS = 24 * 3600 * 1000

/** Removes the tenant's tombstones of more than 24 hours from the graph, then from the ledger's notes. Answers how many the graph held. */
export async function purgeTombstones(deps: Pick<Deps, 'db' | 'graph' | 'now'>, tenant: string): Promise<number> {
  const before = new Date(deps.now().getTime() - TOMBSTONE_MS)
  const [[state]] = await deps.db.asTenant(tenant, [readGeneration])
  const purged = await deps.graph.purge(tenant, before, { generations: state?.generations ?? [] })
  await deps.db.asTenant(tenant, [
    sql`update ledger set tombstone_at = null where tenant_id = current_tenant() and tombstone_at < ${before.toISOString()}::timestamptz`,
  ])
  return purged
}
