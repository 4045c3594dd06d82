import { markCollectable } from '../entities/collect.sql.ts'
import { showNow } from '../graph/wait.ts'
import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import { type AnswerRow, selectAnswers } from './answer.ts'
import { insertPostings, relabelEmbeddings } from './write.sql.ts'

/**
 * A write in rollback mode is pending until the graph has it: nobody reads it, its id and key are taken. It ends in
 * one of two ways, decided by whoever comes first, its own request or (after its death) the sweep.
 */

/** Both stores have it: from now on it can be read. Answers null when it was withdrawn meanwhile. */
export async function publish(deps: Deps, tenant: string, id: string): Promise<AnswerRow | null> {
  const rows = await deps.db.asTenant(tenant, [
    sql`with flipped as (
          update memories set pending_until = null where tenant_id = current_tenant() and id = ${id}::uuid and pending_until is not null returning *)
        insert into audit_log (tenant_id, at, actor, on_behalf_of, request_id, action, target, namespace, version)
        select m.tenant_id, m.created_at, m.created_by, v.on_behalf_of, v.request_id, 'memories.add', m.id, m.namespace, m.version
        from flipped m join memory_versions v on v.tenant_id = m.tenant_id and v.memory_id = m.id and v.version = m.version`,
    relabelEmbeddings([id]),
    insertPostings([id]),
    selectAnswers(sql`m.id = ${id}::uuid`),
  ])
  return rows[3][0] ?? null
}

/**
 * The graph does not have it: nothing of it stays but its ledger row, raised, because the graph may have applied the
 * write and only failed to say so. Answers false when it was published meanwhile.
 */
export async function withdraw(deps: Deps, tenant: string, id: string): Promise<boolean> {
  const now = deps.now().toISOString()
  const pending = sql`tenant_id = current_tenant() and id = ${id}::uuid and pending_until is not null`
  const rows = await deps.db.asTenant(tenant, [
    sql`select id from memories where ${pending} for update`,
    markCollectable(
      sql`select me.entity_id from memory_entities me where me.tenant_id = current_tenant() and me.memory_id = (select id from memories where ${pending})`,
      now,
    ),
    sql`select owe('memory', array[id], array[subject], ${now}::timestamptz) from memories where ${pending}`,
    sql`delete from idempotency_keys k using memory_versions v
        where v.tenant_id = current_tenant() and v.memory_id = (select id from memories where ${pending})
          and k.tenant_id = v.tenant_id and k.key_id = v.actor and k.key = v.idempotency_key`,
    sql<{ id: string }>`delete from memories where ${pending} returning id`,
  ])
  return rows[4].length > 0
}

/** Decides the pending writes whose request did not live to: published when the graph takes them now, else withdrawn. */
export async function sweepPending(deps: Deps, tenant: string, most = 50): Promise<number> {
  const [late] = await deps.db.asTenant(tenant, [
    sql<{ id: string }>`select id from memories
      where tenant_id = current_tenant() and pending_until <= ${deps.now().toISOString()}::timestamptz order by pending_until limit ${most}::int`,
  ])
  const shown =
    late.length > 0
      ? await showNow(
          deps,
          tenant,
          late.map((row) => row.id),
        )
      : new Set<string>()
  for (const { id } of late) {
    if (shown.has(id)) await publish(deps, tenant, id)
    else await withdraw(deps, tenant, id)
  }
  return late.length
}
