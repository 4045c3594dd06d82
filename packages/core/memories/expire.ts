import { Refusal } from '@twofold/operation/refusal.ts'
import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import { retire } from './forget.sql.ts'
import { auditMemories, deletePostings, oweMemories, relabelEmbeddings, unlinkEntities } from './write.sql.ts'

/**
 * Softly deletes memories whose time has come, their own or that of their namespace's policy, as a version of its own; reads
 * have hidden them since that moment. One whose end was moved meanwhile stays. Answers how many went.
 */
export async function expire(deps: Deps, tenant: string, most = 200): Promise<number> {
  const now = deps.now().toISOString()
  const due = sql`m.tenant_id = current_tenant() and m.deleted_at is null and m.pending_until is null and m.ends_at <= ${now}::timestamptz`
  const [rows] = await deps.db.asTenant(tenant, [
    sql<{ id: string }>`select m.id from memories m where ${due} order by m.ends_at limit ${most}::int`,
  ])
  const ids = rows.map((row) => row.id)
  if (ids.length === 0) return 0
  try {
    await deps.db.asTenant(tenant, [
      sql`select m.id from memories m where m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[]) order by m.id for update`,
      sql`select refuse('version_mismatch', 'A memory has changed since it was read.')
        from (select count(*) as n from memories m where m.id = any(${ids}::uuid[]) and ${due}) c where c.n <> ${ids.length}`,
      deletePostings(ids),
      unlinkEntities(ids, now),
      retire(ids, { now, reason: 'expired', action: 'memories.expire' }),
      relabelEmbeddings(ids),
      auditMemories('memories.expire', ids, now),
      ...(deps.settings.graphEnabled ? [oweMemories(ids, now)] : []),
    ])
  } catch (error) {
    // Somebody changed one of them at this very moment: the next round looks again.
    if (error instanceof Refusal && error.code === 'version_mismatch') return 0
    throw error
  }
  if (deps.settings.graphEnabled) await deps.queue.nudge(tenant, ids)
  return ids.length
}
