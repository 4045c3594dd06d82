import { Refusal } from '@twofold/operation/refusal.ts'
import { ModelError } from '../failures.ts'
import { subjectOf } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { textOf } from './draft.ts'
import type { Memory } from './memory.ts'
import { embedTexts, findMentions } from './understand.ts'
import { embeddedOf, linkEntities, type Mentioning, oweMemories, upsertEntities, vectorText } from './write.sql.ts'

interface Owing {
  memory: Memory
  owes_embedding: boolean
  owes_entities: boolean
  chunk: boolean
}

/**
 * Makes up what models owe a tenant: vectors and entities that were not there in time when something was remembered.
 * A memory that changes meanwhile keeps what the change brought. Answers how many memories were looked at; a model that is
 * still down leaves them owed. Chunks come last, since there may be thousands of them; their vectors are made by the sync of
 * their document.
 */
export async function backfill(deps: Deps, tenant: string, most: number, signal: AbortSignal): Promise<number> {
  const [rows] = await deps.db.asTenant(tenant, [
    sql<Owing>`select m.json as memory, m.owes_embedding, m.owes_entities, m.chunk
      from (
        select m.*, c.chunk is not null as chunk from readable_memories m
        left join lateral (
          select true as chunk from document_chunks c where c.tenant_id = m.tenant_id and c.memory_id = m.id offset 0) c on true
        where m.tenant_id = current_tenant() and (m.owes_embedding or m.owes_entities) and m.deleted_at is null) m
      where not m.chunk or m.owes_entities order by m.chunk, m.id limit ${most}::int`,
  ])
  await fillEmbeddings(
    deps,
    tenant,
    rows.filter((row) => row.owes_embedding && !row.chunk).map((row) => row.memory),
    signal,
  )
  await fillEntities(
    deps,
    tenant,
    rows.filter((row) => row.owes_entities).map((row) => row.memory),
    signal,
  )
  return rows.length
}

/** Makes the vectors that these memories owe. Answers how many it made; those that the model could not make in time stay owed. */
export async function fillEmbeddings(deps: Deps, tenant: string, memories: readonly Memory[], signal: AbortSignal): Promise<number> {
  if (memories.length === 0) return 0
  const vectors = await embedTexts(deps, memories.map(textOf), { signal, priority: 'background', keep: false })
  const made = memories.flatMap((m, i) => (vectors[i] ? [{ id: m.id, version: m.version, embedding: vectorText(vectors[i]) }] : []))
  if (made.length === 0) return 0
  await deps.db.asTenant(tenant, [storeOwed(made, deps.embedder.model)])
  await deps.cache.invalidate(tenant, [])
  return made.length
}

/** A vector's version is the first that had this content, so that a search as of then finds the one it had. */
const storeOwed = (made: readonly { id: string; version: number; embedding: string }[], model: string): Statement => sql`
  with w as (select * from jsonb_to_recordset(${JSON.stringify(made)}::jsonb) as w (id uuid, version int, embedding text)),
  paid as (
    update memories m set owes_embedding = false from w
    where m.tenant_id = current_tenant() and m.id = any(${made.map((m) => m.id)}::uuid[]) and m.id = w.id and m.version = w.version and m.owes_embedding
    returning m.tenant_id, m.id, m.row, m.subject, m.namespace, m.type, m.kind, m.deleted_at, memory_json(m) as memory, w.embedding)
  insert into embeddings (tenant_id, memory_id, row, model, subject, namespace, type, kind, live, version, embedding)
  select p.tenant_id, p.id, p.row, ${model}, p.subject, p.namespace, p.type, p.kind, p.deleted_at is null,
    1 + coalesce((select max(v.version) from memory_versions v
      where v.tenant_id = p.tenant_id and v.memory_id = p.id and ${embeddedOf('v.memory')} <> ${embeddedOf('p.memory')}), 0),
    p.embedding::vector
  from paid p order by p.id
  on conflict (tenant_id, memory_id, model) do update set embedding = excluded.embedding, version = excluded.version, live = excluded.live`

async function fillEntities(deps: Deps, tenant: string, memories: readonly Memory[], signal: AbortSignal): Promise<void> {
  if (memories.length === 0) return
  try {
    const mentions = await findMentions(deps, memories, signal)
    for (const [i, memory] of memories.entries()) {
      await storeMentions(deps, tenant, { ...memory, ...mentions[i], subject: subjectOf(memory.namespace) })
    }
  } catch (error) {
    if (!(error instanceof ModelError)) throw error
    deps.log.warn('entities_still_owed', { tenant, model: deps.extractor.model, memories: memories.length, step: error.step })
  }
}

/** Late entities make no version: the content is the same. They raise the revision, so that the graph shows them. */
async function storeMentions(deps: Deps, tenant: string, memory: Memory & Mentioning): Promise<void> {
  const now = deps.now().toISOString()
  try {
    await deps.db.asTenant(tenant, [
      ...upsertEntities([memory], now, deps.id),
      sql`with paid as (
            update memories m set owes_entities = false, entities = ${JSON.stringify(memory.entities)}::jsonb, relations = ${JSON.stringify(memory.relations)}::jsonb
            where m.tenant_id = current_tenant() and m.id = ${memory.id}::uuid and m.version = ${memory.version}::int and m.owes_entities and m.deleted_at is null
            returning m.*),
          versioned as (
            update memory_versions v set memory = memory_json(paid) from paid where v.tenant_id = paid.tenant_id and v.memory_id = paid.id and v.version = paid.version)
          select refuse('version_mismatch', 'The memory has changed since it was read.') where not exists (select from paid)`,
      sql`delete from relations where tenant_id = current_tenant() and memory_id = ${memory.id}::uuid`,
      sql`delete from memory_entities where tenant_id = current_tenant() and memory_id = ${memory.id}::uuid`,
      ...linkEntities([memory]),
      oweMemories([memory.id], now),
    ])
    await deps.queue.nudge(tenant, [memory.id])
  } catch (error) {
    // Changed meanwhile: the next round reads it anew. Entities without a mention are collected.
    if (!(error instanceof Refusal && error.code === 'version_mismatch')) throw error
  }
}
