import { canonical } from '@twofold/operation/json.ts'
import { type Draft, draft } from '../memories/draft.ts'
import type { Deps } from '../ports.ts'
import type { Step } from './chunks.sql.ts'
import type { Chunk } from './chunks.ts'
import { sha256 } from './document.ts'

/** What chunks know of their document. */
export interface Origin {
  id: string
  namespace: string
  filePath: string
  title: string
  metadata: Record<string, unknown>
}

/** The metadata that every chunk of a document carries, and its hash. */
export const labelOf = (metadata: Origin['metadata']): Step['labelled'] => ({
  hash: sha256(canonical(metadata)),
  metadata: JSON.stringify(metadata),
})

/** Chunks as memories about to be written: they name their document, so that an answer can be cited and filtered by it. */
export const draftsOf = (deps: Deps, { id, namespace, filePath, title, metadata }: Origin, chunks: readonly Chunk[], at: Date): Draft[] =>
  chunks.map(({ content, headings }) => {
    const document = { id, filePath, title, headings }
    return draft(deps, { namespace, kind: 'document', content, metadata: { ...metadata, document } as Draft['metadata'] }, at)
  })

/** Leaves it to schedules to make vectors and to find entities. */
export function owe(drafts: readonly Draft[]): void {
  for (const it of drafts) it.owesEmbedding = it.owesEntities = true
}
