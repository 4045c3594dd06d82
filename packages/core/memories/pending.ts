import { markCollectable } from '../entities/collect.sql.ts'
import { showNow } from '../graph/wait.ts'
import { subjectOf } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { remembered, selectAnswers } from './answer.ts'
import { textOf } from './draft.ts'
import type { Memory, Remembered } from './memory.ts'
import { insertPostings, relabelEmbeddings } from './write.sql.ts'

/**
 * A write in rollback mode is pending until the graph has it: nobody reads it, its id and key are taken. It ends in
 * one of two ways, decided by whoever comes first, its own request or (after its death) the sweep.
 */
export interface Pending {
  memory: Memory
  /** Which of all that ever had its id. */
  row: string
  /** From this revision on the graph shows it, and nothing that had its id before. */
  revision: number
}

/** Those of the pending writes that `where` (over `m`) picks. */
export const selectPending = (where: Statement, order: Statement = sql`m.id`): Statement<Pending> => sql<Pending>`
  select memory_json(m) as memory, m.row::text as row, l.revision
  from memories m join ledger l on l.tenant_id = m.tenant_id and l.id = m.id
  where m.tenant_id = current_tenant() and m.pending_until is not null and ${where}
  order by ${order}`

/**
 * Ends a pending write by what the ledger knows: published when the graph has it and all that it mentions, else gone.
 * Of what is gone stays its ledger row alone, raised, because the graph may have applied the write and only failed to say so.
 * Answers what can be read from now on, or null; also when somebody else has decided already.
 */
export async function decide(deps: Deps, tenant: string, { memory, row, revision }: Pending): Promise<Remembered | null> {
  const now = deps.now().toISOString()
  const { id } = memory
  const it = sql`m.tenant_id = current_tenant() and m.id = ${id}::uuid and m.row = ${row}::bigint`
  const pending = sql`${it} and m.pending_until is not null`
  const shown = sql`exists (select from ledger l where l.tenant_id = m.tenant_id and l.id = m.id and l.shown >= ${revision}::int)
    and not exists (
      select from memory_entities me join ledger l on l.tenant_id = me.tenant_id and l.id = me.entity_id
      where me.tenant_id = m.tenant_id and me.memory_id = m.id and l.shown = 0)`
  const {
    9: [answer],
  } = await deps.db.asTenant(tenant, [
    sql`select m.id from memories m where ${pending} for update`,
    sql`with flipped as (update memories m set pending_until = null where ${pending} and ${shown} returning m.*)
        insert into audit_log (tenant_id, at, actor, on_behalf_of, request_id, action, target, namespace, version)
        select m.tenant_id, m.created_at, m.created_by, v.on_behalf_of, v.request_id, 'memories.add', m.id, m.namespace, m.version
        from flipped m join memory_versions v on v.tenant_id = m.tenant_id and v.memory_id = m.id and v.version = m.version`,
    relabelEmbeddings([id]),
    insertPostings([id]),
    // What is pending still goes.
    markCollectable(
      sql`select me.entity_id from memories m join memory_entities me on me.tenant_id = m.tenant_id and me.memory_id = m.id where ${pending}`,
      now,
    ),
    // The graph may have refused them: whoever writes this again does not wait until they are tried again.
    sql`select owe('entity', array_agg(l.id), array_agg(l.subject), ${now}::timestamptz)
        from memories m join memory_entities me on me.tenant_id = m.tenant_id and me.memory_id = m.id
        join ledger l on l.tenant_id = me.tenant_id and l.id = me.entity_id
        where ${pending} and l.shown = 0 and not exists (
          select from memory_entities other where other.tenant_id = me.tenant_id and other.entity_id = me.entity_id and other.memory_id <> m.id)
        having count(*) > 0`,
    sql`select owe('memory', array[m.id], array[m.subject], ${now}::timestamptz) from memories m where ${pending}`,
    // After a day the key may be that of another request.
    sql`with wrote as materialized (
          select v.actor, v.idempotency_key as key from memories m join memory_versions v on v.tenant_id = m.tenant_id and v.memory_id = m.id where ${pending})
        delete from idempotency_keys k using wrote w
        where k.tenant_id = current_tenant() and k.key_id = any(array(select actor from wrote)) and k.key = any(array(select key from wrote))
          and k.key_id = w.actor and k.key = w.key and k.targets @> ${JSON.stringify([{ id }])}::jsonb`,
    sql`delete from memories m where ${pending}`,
    selectAnswers(it),
  ])
  if (answer) return remembered(answer, { graphEnabled: true, cache: await deps.cache.invalidate(tenant, [subjectOf(memory.namespace)]) })
  await Promise.all([deps.cache.forgetEmbeddings(deps.embedder.model, [textOf(memory)]), deps.queue.nudge(tenant, [id])])
  return null
}

/** Decides the pending writes whose request did not live to: published when the graph takes them now, else gone. */
export async function sweepPending(deps: Deps, tenant: string, most = 50): Promise<number> {
  const [late] = await deps.db.asTenant(tenant, [
    selectPending(sql`m.pending_until <= ${deps.now().toISOString()}::timestamptz`, sql`m.pending_until limit ${most}::int`),
  ])
  if (late.length > 0)
    await showNow(
      deps,
      tenant,
      late.map(({ memory }) => memory.id),
    )
  for (const pending of late) await decide(deps, tenant, pending)
  return late.length
}
