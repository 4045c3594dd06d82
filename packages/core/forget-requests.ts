import type { Deps } from './ports.ts'
import { sql } from './sql.ts'

/** How long an answered request is remembered under its idempotency key. */
export const REQUEST_MS = 24 * 3600 * 1000

/** Forgets the tenant's requests of more than 24 hours, oldest first. Answers how many went. */
export async function forgetRequests(deps: Pick<Deps, 'db' | 'now'>, tenant: string, most = 1000): Promise<number> {
  const before = new Date(deps.now().getTime() - REQUEST_MS).toISOString()
  const [rows] = await deps.db.asTenant(tenant, [
    sql`delete from idempotency_keys k using (
          select key_id, key, part from idempotency_keys
          where tenant_id = current_tenant() and created_at < ${before}::timestamptz order by created_at limit ${most}::int for update skip locked) old
        where k.tenant_id = current_tenant() and k.key_id = old.key_id and k.key = old.key and k.part = old.part
        returning 1`,
  ])
  return rows.length
}
