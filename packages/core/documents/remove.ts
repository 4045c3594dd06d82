import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { Replay } from '../failures.ts'
import { claim } from '../idempotency.ts'
import { earlier, mismatch } from '../memories/update.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { hiding } from './chunks.sql.ts'
import { noDocument } from './document.ts'
import { byId, selectDocument, selectPlaced } from './documents.sql.ts'
import { tell } from './put.ts'

/**
 * Removes a document. With this one statement list none of its chunks is found any more, however many they are, and its
 * text is gone; the rows of the chunks are erased after it, for good, in steps. Refuses `not_found` and `version_mismatch`.
 */
export async function removeDocument(deps: Deps, caller: Caller, id: string): Promise<{ replayed: boolean }> {
  const { model } = deps.embedder
  for (;;) {
    const { rows } = await deps.db.asCaller(caller, null, [selectDocument(byId(id), model), selectPlaced(byId(id))])
    try {
      const document = rows[0][0]?.document
      if (!document) throw noDocument()
      if (caller.ifMatch !== null && caller.ifMatch !== document.version) throw mismatch(document.version)
      const ids = rows[1].map(({ memoryId }) => memoryId)
      const { authorized } = await deps.db.asCaller(caller, null, removal(deps, caller, document, ids), {
        write: true,
        repeatable: caller.idempotency !== null,
      })
      await tell(deps, caller, authorized, document.namespace, ids)
      return { replayed: false }
    } catch (error) {
      if (error instanceof Replay) return { replayed: true }
      const vanished = error instanceof Refusal && (error.code === 'not_found' || error.code === 'version_mismatch')
      if (vanished && caller.idempotency && (await earlier(deps, caller))) return { replayed: true }
      // A step or a put came in between, with chunks that were not among these.
      if (!vanished || error.code === 'not_found' || error.details.currentVersion !== undefined) throw error
    }
  }
}

function removal(
  deps: Deps,
  caller: Caller,
  { id, namespace, version }: { id: string; namespace: string; version: number },
  chunks: readonly string[],
): Statement[] {
  const now = deps.now().toISOString()
  return [
    ...claim(caller, [{ id }], now),
    sql`
    with gone as (
      update documents d set removed_at = ${now}::timestamptz, due_at = ${now}::timestamptz, content = '', metadata = '{}', version = d.version + 1, to_place = 0
      where d.tenant_id = current_tenant() and d.id = ${id}::uuid and d.version = ${version}::int and d.removed_at is null
      returning 1)
    select refuse('version_mismatch', 'The document has changed since it was read.') where not exists (select from gone)`,
    sql`
    select refuse('version_mismatch', 'The document has changed since it was read.')
    from (select count(*) as n from document_chunks c where c.tenant_id = current_tenant() and c.document_id = ${id}::uuid and c.position is not null) c
    where c.n <> ${chunks.length}`,
    ...(chunks.length === 0 ? [] : hiding(chunks, deps.settings.graphEnabled, now)),
    sql`select audit('documents.delete', array[${id}::uuid], array[${namespace}::text], array[${version}::int], ${now}::timestamptz)`,
  ]
}
