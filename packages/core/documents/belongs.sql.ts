import { type Statement, sql } from '../sql.ts'

/** A chunk says what its document says: whoever wants it otherwise changes the document. Refuses `conflict` for a memory that is a chunk. */
export const refuseChunk = (id: string): Statement => sql`
  select refuse('conflict', format('The memory is a chunk of the document %s, %s: put that, or delete it.', d.id, d.file_path), jsonb_build_object('documentId', d.id))
  from document_chunks c join documents d on d.tenant_id = c.tenant_id and d.id = c.document_id
  where c.tenant_id = current_tenant() and c.memory_id = ${id}::uuid`

/** A memory `m` is no chunk of a document. */
export const noChunk: Statement = sql`
  (m.kind <> 'document' or not exists (select from document_chunks c where c.tenant_id = m.tenant_id and c.memory_id = m.id))`
