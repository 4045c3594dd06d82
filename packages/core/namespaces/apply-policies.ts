import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { BEGINNING, type Position, walked } from './walk.sql.ts'

/** Notes that the memories of a prefix are still to hear of its policy, from the first on. */
export const changed = (namespace: string, now: string): Statement => sql`
  insert into policy_changes as c (tenant_id, namespace, after_namespace, after_id, since)
  values (current_tenant(), ${namespace}, ${BEGINNING.namespace}, ${BEGINNING.id}::uuid, ${now}::timestamptz)
  on conflict (tenant_id, namespace) do update set after_namespace = excluded.after_namespace, after_id = excluded.after_id,
    since = greatest(excluded.since, c.since + interval '1 ms')`

/** Moves the ends of the next memories to where the policies put them. What has ended stays so. Answers the last one it looked at, when there may be more. */
export const restamp = (prefix: string, after: Position, most: number, now: string): Statement<Position> => sql<Position>`
  with looked as materialized (${walked(prefix, after, most)}),
  moved as (
    update memories m set fades_at = fades_at(m.tenant_id, m.namespace, m.type, m.importance, m.expires_at, m.updated_at)
    where m.tenant_id = current_tenant() and m.id = any(array(select id from looked)) and m.deleted_at is null
      and (m.type = 'episodic' or m.namespace like 'temp:%') and (m.ends_at is null or m.ends_at > ${now}::timestamptz)
      and m.fades_at is distinct from fades_at(m.tenant_id, m.namespace, m.type, m.importance, m.expires_at, m.updated_at))
  select l.namespace, l.id from looked l where (select count(*) from looked) = ${most}::int order by l.namespace desc, l.id desc limit 1`

/**
 * Lets memories of a prefix whose policy has changed hear of it, `most` at a time. Answers whether there may be more to do.
 * One that was written by the former policy while it changed is reached as well: this begins when that is committed.
 */
export async function applyPolicies(deps: Pick<Deps, 'db' | 'now'>, tenant: string, most = 1000): Promise<boolean> {
  const now = deps.now().toISOString()
  const [[change]] = await deps.db.asTenant(tenant, [
    sql<{ prefix: string; namespace: string; id: string; since: string }>`
      select c.namespace as prefix, c.after_namespace as namespace, c.after_id as id, c.since::text as since
      from policy_changes c where c.tenant_id = current_tenant() order by c.since limit 1`,
  ])
  if (!change) return false
  const [[last]] = await deps.db.asTenant(tenant, [restamp(change.prefix, change, most, now)])
  // Changed once more meanwhile: then it begins anew.
  const same = sql`c.tenant_id = current_tenant() and c.namespace = ${change.prefix} and c.since = ${change.since}::timestamptz`
  await deps.db.asTenant(tenant, [
    last
      ? sql`update policy_changes c set after_namespace = ${last.namespace}, after_id = ${last.id}::uuid where ${same}`
      : sql`delete from policy_changes c where ${same}`,
  ])
  return true
}
