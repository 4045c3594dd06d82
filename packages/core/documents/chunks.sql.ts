import type { Draft } from '../memories/draft.ts'
import {
  deletePostings,
  insertMemories,
  insertPostings,
  linkEntities,
  oweMemories,
  relabelEmbeddings,
  unlinkEntities,
  upsertEmbeddings,
  upsertEntities,
} from '../memories/write.sql.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import type { Chunk } from './chunks.ts'
import { type Plan, STEP } from './plan.ts'

const json = (rows: unknown): string => JSON.stringify(rows)

export interface Step extends Plan {
  documentId: string
  /** One for each chunk to place. */
  drafts: readonly Draft[]
  /** Hash of `metadata`, and that as JSON. */
  labelled: { hash: string; metadata: string }
  idempotencyKey: string | null
  now: string
}

/** Takes what is replaced out of every search, makes new chunks and mends those that stay. */
export const placing = ({ embedder, settings, id }: Pick<Deps, 'embedder' | 'settings' | 'id'>, step: Step): Statement[] => {
  const { drafts, now, documentId, place, labelled, idempotencyKey } = step
  const ids = drafts.map((draft) => draft.id)
  const write = { action: 'documents.put', reason: null, now, idempotencyKey }
  const changed = [...ids, ...step.label]
  return [
    ...(step.out.length === 0 ? [] : hiding(step.out, settings.graphEnabled, now)),
    ...(drafts.length === 0
      ? []
      : [
          ...upsertEntities(drafts, now, id),
          insertMemories(drafts, write, null),
          ...upsertEmbeddings(drafts, embedder.model, true),
          ...linkEntities(drafts),
          insertPostings(ids),
          insertChunks(documentId, place, ids, labelled.hash),
        ]),
    ...(step.label.length === 0 ? [] : [relabel(step.label, labelled, now)]),
    ...(step.moved.length === 0 ? [] : [move(step.moved)]),
    ...(settings.graphEnabled && changed.length > 0 ? [oweMemories(changed, now)] : []),
  ]
}

const insertChunks = (documentId: string, chunks: readonly Chunk[], ids: readonly string[], label: string): Statement => sql`
  insert into document_chunks (tenant_id, memory_id, document_id, position, hash, label)
  select current_tenant(), w.id, ${documentId}::uuid, w.position, w.hash, ${label}
  from jsonb_to_recordset(${json(chunks.map(({ position, hash }, i) => ({ id: ids[i], position, hash })))}::jsonb) as w (id uuid, position int, hash text)`

const move = (moved: Plan['moved']): Statement => sql`
  update document_chunks c set position = w.position
  from unnest(${moved.map((m) => m.memoryId)}::uuid[], ${moved.map((m) => m.position)}::int[]) w (id, position)
  where c.tenant_id = current_tenant() and c.memory_id = any(${moved.map((m) => m.memoryId)}::uuid[]) and c.memory_id = w.id`

/** The metadata of chunks that stay, as a version of its own; what they say stays, and so do their words and vectors. */
const relabel = (ids: readonly string[], { hash, metadata }: Step['labelled'], now: string): Statement => sql`
  with made as (
    update memories m set metadata = ${metadata}::jsonb || jsonb_build_object('document', m.metadata->'document'), version = m.version + 1,
      updated_by = current_actor(), updated_at = greatest(${now}::timestamptz, m.updated_at + interval '1 ms')
    where m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[]) and m.deleted_at is null
    returning m.*),
  versioned as (
    insert into memory_versions (tenant_id, memory_id, version, namespace, action, actor, on_behalf_of, request_id, at, memory, terms, counts, tokenizer)
    select n.tenant_id, n.id, n.version, n.namespace, 'documents.put', current_actor(), nullif(current_setting('twofold.behalf', true), ''),
      nullif(current_setting('twofold.request', true), ''), n.updated_at, memory_json(n), v.terms, v.counts, v.tokenizer
    from made n join memory_versions v on v.tenant_id = n.tenant_id and v.memory_id = n.id and v.version = n.version - 1)
  update document_chunks c set label = ${hash} from made where c.tenant_id = current_tenant() and c.memory_id = made.id`

/**
 * Takes chunks out of every search and list at once, however many: also out of those as of a moment, since there is no
 * deletion to be told of, they are only waiting to be erased. The words of a few go too; of many they would take longer than
 * a request may, and go with the rows.
 */
export const hiding = (ids: readonly string[], graphEnabled: boolean, now: string): Statement[] => [
  sql`update document_chunks set position = null where tenant_id = current_tenant() and memory_id = any(${ids}::uuid[])`,
  ...(ids.length > STEP ? [] : [deletePostings(ids)]),
  sql`update memories m set deleted_at = ${now}::timestamptz, expires_at = ${now}::timestamptz, owes_embedding = false, owes_entities = false
    where m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[])`,
  relabelEmbeddings(ids),
  unlinkEntities(ids, now),
  ...(graphEnabled ? [oweMemories(ids, now)] : []),
]
