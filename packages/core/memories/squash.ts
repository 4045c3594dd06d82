import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import { type Due, squashNext } from './squash.sql.ts'

/** Each policy is gone through once a day. */
const AGAIN_MS = 24 * 3600 * 1000
const STEP = { memories: 100, versions: 2000 }

/** Takes away versions that the tenant's policies do not keep, one bounded step at a time. Answers whether there may be more to do at once. */
export async function squash(deps: Pick<Deps, 'db' | 'now'>, tenant: string, step = STEP): Promise<boolean> {
  const now = deps.now().toISOString()
  const [[due]] = await deps.db.asTenant(tenant, [
    sql<Due>`
      select p.namespace, p.keep_versions as keep, p.daily_versions_after_days as daily, iso(p.updated_at) as since,
        jsonb_build_object('namespace', p.squash_after_namespace, 'id', p.squash_after_id) as after
      from namespace_policies p where p.tenant_id = current_tenant() and p.squash_at <= ${now}::timestamptz order by p.squash_at limit 1`,
  ])
  if (!due) return false
  await deps.db.asTenant(tenant, [squashNext(due, { now, next: new Date(Date.parse(now) + AGAIN_MS).toISOString(), ...step })])
  return true
}
