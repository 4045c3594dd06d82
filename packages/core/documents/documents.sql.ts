import { type Statement, sql } from '../sql.ts'
import type { Document, DocumentAnswer } from './document.ts'
import type { Placed } from './plan.ts'

/** A document `d` that is there, by `where`, as far as the caller may see it. */
export const there = (where: Statement): Statement =>
  sql`d.tenant_id = current_tenant() and d.removed_at is null and visible(d.namespace) and ${where}`

export const byId = (id: string): Statement => there(sql`d.id = ${id}::uuid`)

/** `model` is the one in use now, against which a document is stale. */
export const selectDocument = (where: Statement, model: string): Statement<DocumentAnswer> => sql<DocumentAnswer>`
  select document_json(d, ${model}) as document from documents d where ${where}`

export interface Before {
  document: Document
  /** The same content under the same title, of the same type and with the same metadata. */
  unchanged: boolean
}

export interface Fields {
  filePath: string
  title: string
  documentType: string
  metadata: string
  content: string
  bytes: number
  contentHash: string
  chunkCount: number
}

/** What is there under this path. */
export const selectBefore = (
  { namespace, pathHash, model }: { namespace: string; pathHash: string; model: string },
  f: Omit<Fields, 'chunkCount'>,
): Statement<Before> => sql<Before>`
  select document_json(d, ${model}) as document,
    (d.content_hash, d.title, d.document_type) = (${f.contentHash}, ${f.title}, ${f.documentType}) and d.metadata = ${f.metadata}::jsonb as unchanged
  from documents d where ${there(sql`d.namespace = ${namespace} and d.path_hash = ${pathHash}`)}`

/** The chunks of a document that `where` (over `d`) picks, in their order; replaced ones not. */
export const selectPlaced = (where: Statement): Statement<Placed> => sql<Placed>`
  select c.memory_id as "memoryId", c.position, c.hash, c.label
  from documents d join document_chunks c on c.tenant_id = d.tenant_id and c.document_id = d.id and c.position is not null
  where ${where} order by c.position`

export interface State {
  id: string
  namespace: string
  pathHash: string
  toPlace: number
  model: string
  now: string
}

/** A new document; one under this path that came in between makes the list refuse `version_mismatch`. */
export const insertDocument = (s: State, f: Fields): Statement => sql`
  with made as (
    insert into documents (tenant_id, id, namespace, file_path, path_hash, title, document_type, metadata, content, bytes, content_hash, chunk_count, to_place,
      sync_status, due_at, embedding_model, created_by, updated_by, created_at, updated_at)
    values (current_tenant(), ${s.id}::uuid, ${s.namespace}, ${f.filePath}, ${s.pathHash}, ${f.title}, ${f.documentType}, ${f.metadata}::jsonb, ${f.content},
      ${f.bytes}::int, ${f.contentHash}, ${f.chunkCount}::int, ${s.toPlace}::int, 'pending', ${s.now}::timestamptz, ${s.model}, current_actor(), current_actor(),
      ${s.now}::timestamptz, ${s.now}::timestamptz)
    on conflict (tenant_id, namespace, path_hash) where removed_at is null do nothing returning 1)
  select refuse('version_mismatch', 'The document has changed since it was read.') where not exists (select from made)`

/** The next version of a document that is still at the version it was read at, with no more left to place than then. */
export const updateDocument = (s: State, f: Fields, version: number): Statement => sql`
  with made as (
    update documents d set title = ${f.title}, document_type = ${f.documentType}, metadata = ${f.metadata}::jsonb, content = ${f.content}, bytes = ${f.bytes}::int,
      content_hash = ${f.contentHash}, chunk_count = ${f.chunkCount}::int, to_place = ${s.toPlace}::int, sync_status = 'pending', failure = null, attempts = 0,
      due_at = ${s.now}::timestamptz, embedding_model = ${s.model}, version = d.version + 1, updated_by = current_actor(),
      updated_at = greatest(${s.now}::timestamptz, d.updated_at + interval '1 ms')
    where d.tenant_id = current_tenant() and d.id = ${s.id}::uuid and d.version = ${version}::int and d.removed_at is null
    returning 1)
  select refuse('version_mismatch', 'The document has changed since it was read.') where not exists (select from made)`

/** One step of what was put: somebody else who takes it makes the list refuse `version_mismatch`. Whoever put it is who makes its chunks, in whichever process. */
export const takeStep = (id: string, version: number, from: number, to: number): Statement[] => [
  sql`
  with taken as (
    update documents d set to_place = ${to}::int
    where d.tenant_id = current_tenant() and d.id = ${id}::uuid and d.version = ${version}::int and d.to_place = ${from}::int and d.removed_at is null
    returning 1)
  select refuse('version_mismatch', 'Somebody else goes on with the document.') where not exists (select from taken)`,
  sql`select set_config('twofold.actor', d.updated_by, true) from documents d where d.tenant_id = current_tenant() and d.id = ${id}::uuid`,
]

/**
 * Synced, when every chunk is there and has its vector of the model in use. Replaced chunks that are still to be erased
 * keep it due.
 */
export const settle = (id: string, model: string, now: string): Statement => sql`
  update documents d set sync_status = 'synced', failure = null, attempts = 0, embedding_model = ${model}, last_synced_at = ${now}::timestamptz,
    due_at = case when exists (select from document_chunks c where c.tenant_id = d.tenant_id and c.document_id = d.id and c.position is null) then d.due_at end
  where d.tenant_id = current_tenant() and d.id = ${id}::uuid and d.to_place = 0 and d.removed_at is null and not exists (${lacking(sql`d.id`, model)})
  returning 1`

/** Chunks of a document that have no vector of the model in use. Looked up one by one: as a join it took seconds where tables have just been filled. */
export const lacking = (documentId: Statement, model: string): Statement => sql`
  select c.memory_id, c.position from document_chunks c
  where c.tenant_id = current_tenant() and c.document_id = ${documentId} and c.position is not null and (
    select true from embeddings e where e.tenant_id = c.tenant_id and e.memory_id = c.memory_id and e.model = ${model} limit 1) is null`
