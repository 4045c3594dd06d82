import { ModelError } from '@twofold/core/failures.ts'
import type { Embedder } from '@twofold/core/ports.ts'
import { openProvider, type ProviderOptions, readModel, reasonOf } from '../provider.ts'
import { dimensionsOf, type Embedding } from './dimensions.ts'

/** Texts a call. 96 is the least of what providers allow (Cohere). */
const TEXTS = 96
/** Characters a call: OpenAI takes 300,000 tokens, and a Chinese character may cost more than one. */
const CHARACTERS = 200_000
/** Characters a piece: OpenAI reads 8,192 tokens of one input and refuses longer ones. */
const PIECE = 6_000

/**
 * Embeddings of any provider of the AI SDK, unit length. A text over 6,000 characters goes in pieces, whose mean it gets.
 * Never retries by itself. Throws `ModelError` when the provider fails, answers what is no vector of the expected
 * length, or has not answered before `signal` aborts; the error holds neither texts nor the provider's words.
 * Refuses to be made without a package, a base URL or dimensions that it needs.
 */
export async function providerEmbedder(options: ProviderOptions & Embedding): Promise<Embedder & { close(): Promise<void> }> {
  const { provider, model } = readModel(options.model)
  const { dimensions, providerOptions } = dimensionsOf(options)
  const opened = await openProvider(provider, options)

  const call = async (values: string[], abortSignal: AbortSignal): Promise<Float32Array[]> => {
    const asking = opened().then((provider) => provider.embeddingModel(model).doEmbed({ values, abortSignal, providerOptions }))
    const { embeddings } = await asking.catch(async (error) => {
      throw new ModelError(await reasonOf('embedding', error, abortSignal), { retryable: true })
    })
    if (embeddings.length !== values.length) throw new ModelError('embedding (no usable answer)', { retryable: true })
    return embeddings.map((embedding) => {
      if (embedding.length !== dimensions)
        throw new ModelError(`embedding (${embedding.length} dimensions instead of ${dimensions})`, { retryable: true })
      return unit(Float32Array.from(embedding))
    })
  }

  return {
    model: options.model,
    dimensions,
    async embed(texts, { signal }) {
      const pieces = texts.flatMap((text, of) => inPieces(text).map((piece) => ({ of, piece })))
      const sums = texts.map(() => new Float32Array(dimensions))
      for (const portion of portions(pieces)) {
        const vectors = await call(
          portion.map(({ piece }) => piece),
          signal,
        )
        portion.forEach(({ of, piece }, i) => {
          const sum = sums[of] as Float32Array
          vectors[i]?.forEach((x, j) => {
            sum[j] = (sum[j] as number) + x * (piece.length || 1)
          })
        })
      }
      return sums.map(unit)
    },
    async close() {},
  }
}

/** Cut between characters, not within a surrogate pair. */
const inPieces = (text: string): string[] =>
  text.match(new RegExp(`[^]{1,${PIECE}}(?<![\\uD800-\\uDBFF](?=[\\uDC00-\\uDFFF]))`, 'g')) ?? [text]

function portions<T extends { piece: string }>(pieces: readonly T[]): T[][] {
  const made: T[][] = []
  let characters = 0
  for (const each of pieces) {
    const last = made.at(-1)
    characters += each.piece.length
    if (last && last.length < TEXTS && characters <= CHARACTERS) last.push(each)
    else {
      made.push([each])
      characters = each.piece.length
    }
  }
  return made
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector)
  if (!(length > 0 && length < Number.POSITIVE_INFINITY)) throw new ModelError('embedding (not a vector)', { retryable: true })
  return vector.map((x) => x / length)
}
