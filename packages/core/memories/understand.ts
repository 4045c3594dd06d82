import type { Caller } from '@twofold/operation/caller.ts'
import { type Mentions, merge, normalize } from '../entities/mentions.ts'
import { ModelError } from '../failures.ts'
import type { Deps } from '../ports.ts'
import type { Draft } from './draft.ts'

/**
 * Lets the models add what they can before the deadline: vectors (from the cache by text hash where known) beside
 * entities. What they cannot is marked as owed and made up by a schedule: a model never fails a write.
 */
export async function understand(deps: Deps, caller: Caller, drafts: readonly Draft[], deadlineMs: number): Promise<void> {
  const signal = AbortSignal.any([caller.signal, AbortSignal.timeout(deadlineMs)])
  await Promise.all([
    caller.timings.measure('embed', () => embedDrafts(deps, drafts, signal)),
    caller.timings.measure('extract', () => extractDrafts(deps, drafts, signal)),
  ])
}

async function embedDrafts(deps: Deps, drafts: readonly Draft[], signal: AbortSignal): Promise<void> {
  const wanting = drafts.filter((d) => d.toEmbed !== null)
  if (wanting.length === 0) return
  const vectors = await embedTexts(
    deps,
    wanting.map((d) => d.toEmbed as string),
    { signal, priority: wanting.length > 1 ? 'background' : 'interactive' },
  )
  wanting.forEach((d, i) => {
    d.embedding = vectors[i] ?? null
    d.owesEmbedding = d.embedding === null
  })
}

interface Embedding {
  signal: AbortSignal
  priority: 'interactive' | 'background'
  /** Whether the cache is to know them too. Not for a text that may have been deleted for good since it was read. */
  keep?: boolean
}

/** Vectors in the order of the texts, null where the model could not in time. Cached ones cost no model call. */
export async function embedTexts(
  deps: Deps,
  texts: readonly string[],
  { signal, priority, keep = true }: Embedding,
): Promise<(Float32Array | null)[]> {
  const { model } = deps.embedder
  const cached = await deps.cache.embeddings(model, texts)
  // A model may have been given another number of dimensions since.
  const vectors = cached.map((vector) => (vector?.length === deps.embedder.dimensions ? vector : null))
  const missing = [...new Set(texts.filter((_, i) => vectors[i] === null))]
  // In portions, so that a deadline in the middle of a batch costs only what was not reached.
  for (let i = 0; i < missing.length && !signal.aborted; i += PORTION) {
    const portion = missing.slice(i, i + PORTION)
    try {
      const made = await deps.embedder.embed(portion, { signal, priority })
      const known = new Map(portion.map((text, j) => [text, made[j] as Float32Array]))
      texts.forEach((text, j) => {
        vectors[j] ??= known.get(text) ?? null
      })
      const fresh = portion.map((text, j) => ({ text, vector: made[j] as Float32Array }))
      if (keep) await deps.cache.storeEmbeddings(model, fresh)
    } catch (error) {
      if (!(error instanceof ModelError)) throw error
      deps.log.warn('embedding_owed', { model, texts: missing.length - i, step: error.step })
      break
    }
  }
  return vectors
}

const PORTION = 16

async function extractDrafts(deps: Deps, drafts: readonly Draft[], signal: AbortSignal): Promise<void> {
  const wanting = drafts.filter((d) => d.toExtract !== null)
  if (wanting.length === 0) return
  try {
    const mentions = await findMentions(deps, wanting, signal)
    wanting.forEach((d, i) => {
      Object.assign(d, mentions[i])
    })
  } catch (error) {
    if (!(error instanceof ModelError)) throw error
    deps.log.warn('entities_owed', { model: deps.extractor.model, texts: wanting.length, step: error.step })
    for (const d of wanting) d.owesEntities = true
  }
}

type Said = Mentions & { content: string; speaker: string | null }

/** What each content mentions beside what is known already, which wins. The people known in it help to find them. Throws `ModelError`. */
export async function findMentions(deps: Deps, said: readonly Said[], signal: AbortSignal): Promise<Mentions[]> {
  const people = ({ speaker, entities }: Said) => [
    ...(speaker ? [speaker] : []),
    ...entities.filter((e) => e.type === 'person').map((e) => e.value),
  ]
  const found = await deps.extractor.extract(
    said.map((each) => ({ text: each.content, known: people(each) })),
    { signal },
  )
  return said.map((each, i) => {
    const { entities, relations } = found[i] ?? { entities: [], relations: [] }
    return merge(each, { entities: entities.map((e) => ({ ...e, normalized: normalize(e.value) })), relations })
  })
}
