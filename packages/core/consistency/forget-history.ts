import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'

/** How long it can be looked up what a run did, and what drift was there and has gone. */
export const HISTORY_MS = 30 * 24 * 3600 * 1000

/** Forgets the tenant's runs that ended, and drift that was repaired, more than 30 days ago. */
export async function forgetHistory(deps: Pick<Deps, 'db' | 'now'>, tenant: string): Promise<void> {
  const before = new Date(deps.now().getTime() - HISTORY_MS).toISOString()
  await deps.db.asTenant(tenant, [
    sql`delete from sync_runs r where r.tenant_id = current_tenant() and r.started_at <= ${before}::timestamptz and r.ended_at <= ${before}::timestamptz`,
    sql`delete from drift d where d.tenant_id = current_tenant() and d.repaired_at <= ${before}::timestamptz`,
  ])
}
