import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { Document, noDocument } from './document.ts'
import { byId } from './documents.sql.ts'

const Progress = z
  .object({ total: z.number(), done: z.number(), left: z.number() })
  .meta({ description: 'Chunks that are there with their vectors.' })

export const DocumentChunk = z
  .object({ position: z.number(), memoryId: z.string(), headings: z.array(z.string()), content: z.string() })
  .meta({ id: 'DocumentChunk' })
export type DocumentChunk = z.infer<typeof DocumentChunk>

export interface Reading {
  /** Beside all that, as it was put. */
  content: boolean
  /** How many chunks, after this position; null: none. */
  chunks: { limit: number; after: number } | null
}

export const Whole = z.object({
  document: Document.extend({ content: z.string().optional(), progress: Progress }),
  chunks: z.object({ items: z.array(DocumentChunk), nextCursor: z.string().nullable() }).optional(),
})

export interface Read {
  document: z.infer<typeof Whole>['document']
  chunks: { items: DocumentChunk[]; next: number | null } | null
}

/** One document, how far it has come, and (asked for) its text or a page of its chunks. Refuses `not_found`, also for what lies outside the grant. */
export async function readDocument(deps: Deps, caller: Caller, id: string, { content, chunks }: Reading): Promise<Read> {
  const { model } = deps.embedder
  const page = chunks ? selectChunks(id, chunks) : null
  const { rows } = await deps.db.asCaller(caller, null, [selectWhole(id, model, content), ...(page ? [page] : [])])
  const [documents, found = []] = rows as [{ document: Read['document'] }[], DocumentChunk[]?]
  if (!documents[0]) throw noDocument()
  const items = chunks ? found.slice(0, chunks.limit) : []
  const next = chunks && found.length > chunks.limit ? (items.at(-1) as DocumentChunk).position : null
  return { document: documents[0].document, chunks: chunks ? { items, next } : null }
}

/** What is synced has all of its chunks, with their vectors; of the others they are counted. */
const selectWhole = (id: string, model: string, content: boolean): Statement<{ document: Read['document'] }> => sql<{
  document: Read['document']
}>`
  select document_json(d, ${model}) || jsonb_build_object('progress', jsonb_build_object('total', d.chunk_count, 'done', p.done, 'left', d.chunk_count - p.done))
    || ${content ? sql`jsonb_build_object('content', d.content)` : sql`'{}'::jsonb`} as document
  from documents d
  cross join lateral (
    select case when d.sync_status = 'synced' and d.embedding_model = ${model} then d.chunk_count else (
      select count(*)::int from document_chunks c
      where c.tenant_id = d.tenant_id and c.document_id = d.id and c.position is not null and exists (
        select from embeddings e where e.tenant_id = c.tenant_id and e.memory_id = c.memory_id and e.model = ${model})) end as done) p
  where ${byId(id)}`

const selectChunks = (id: string, { limit, after }: { limit: number; after: number }): Statement<DocumentChunk> => sql<DocumentChunk>`
  select c.position, c.memory_id as "memoryId", m.metadata->'document'->'headings' as headings, m.content
  from documents d
  join document_chunks c on c.tenant_id = d.tenant_id and c.document_id = d.id and c.position > ${after}::int
  join readable_memories m on m.tenant_id = c.tenant_id and m.id = c.memory_id
  where ${byId(id)} order by c.position limit ${limit + 1}::int`
