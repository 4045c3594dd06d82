import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'

const DAY_MS = 24 * 3600_000

/** How long the audit is kept, in milliseconds. */
export const retentionMs = ({ settings }: Pick<Deps, 'settings'>): number => settings.auditRetentionDays * DAY_MS

/** Forgets what of the tenant's audit is older than that, oldest first. Answers true when there may be more. */
export async function forgetAudit(deps: Pick<Deps, 'db' | 'now' | 'settings'>, tenant: string, most = 1000): Promise<boolean> {
  const before = new Date(deps.now().getTime() - retentionMs(deps)).toISOString()
  const [[gone]] = await deps.db.asTenant(tenant, [
    sql<{ count: number }>`select forget_audit(${before}::timestamptz, ${most}::int) as count`,
  ])
  return gone?.count === most
}
