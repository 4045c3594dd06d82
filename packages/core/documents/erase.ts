import { textOf } from '../memories/draft.ts'
import { erase } from '../memories/forget.sql.ts'
import type { Memory } from '../memories/memory.ts'
import { deletePostings } from '../memories/write.sql.ts'
import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import { STEP } from './plan.ts'

/**
 * Erases the next of the chunks that a document does not hold any more, which no search shows already, for good: rows,
 * versions, vectors, words, and what caches know of their texts. Answers whether there may be more.
 */
export async function eraseReplaced(deps: Deps, tenant: string, documentId: string): Promise<boolean> {
  const [gone] = await deps.db.asTenant(tenant, [
    sql<{ memory: Memory }>`select memory_json(m) as memory
      from document_chunks c join memories m on m.tenant_id = c.tenant_id and m.id = c.memory_id
      where c.tenant_id = current_tenant() and c.document_id = ${documentId}::uuid and c.position is null order by c.memory_id limit ${STEP}::int`,
  ])
  if (gone.length === 0) return false
  const ids = gone.map(({ memory }) => memory.id)
  const texts = gone.map(({ memory }) => textOf(memory))
  // Before the rows as well: of a process that dies in between nobody would know which texts were theirs.
  await deps.cache.forgetEmbeddings(deps.embedder.model, texts)
  await deps.db.asTenant(tenant, [deletePostings(ids), erase(ids)])
  await deps.cache.forgetEmbeddings(deps.embedder.model, texts)
  return gone.length === STEP
}
