import type { EmbeddingModelV4 } from '@ai-sdk/provider'
import { ModelError } from '@twofold/core/failures.ts'
import type { Embedder } from '@twofold/core/ports.ts'
import { openProvider, type ProviderOptions, readModel, reasonOf } from '../provider.ts'
import { dimensionsOf, type Embedding } from './dimensions.ts'

/** Texts a call. 96 is the least of what providers allow (Cohere). */
const TEXTS = 96
/** Calls at once, where a provider takes them side by side: Amazon's own models take one text each. */
const AT_ONCE = 8
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

  const call = async (asked: EmbeddingModelV4, values: string[], abortSignal: AbortSignal): Promise<Float32Array[]> => {
    const { embeddings } = await asked.doEmbed({ values, abortSignal, providerOptions })
    if (embeddings.length !== values.length) throw new ModelError('embedding (no usable answer)', { retryable: true })
    return embeddings.map((embedding) => {
      if (embedding.length !== dimensions)
        throw new ModelError(`embedding (${embedding.length} dimensions instead of ${dimensions})`, { retryable: true })
      return unit(Float32Array.from(embedding))
    })
  }

  /** A vector for each, in as few calls as the provider allows. */
  const vectorsOf = async (values: readonly string[], signal: AbortSignal): Promise<Float32Array[]> => {
    const made: Float32Array[][] = []
    try {
      const asked = (await opened()).embeddingModel(model)
      const calls = portions(values, Math.min(TEXTS, (await asked.maxEmbeddingsPerCall) ?? TEXTS))
      const atOnce = (await asked.supportsParallelCalls) ? AT_ONCE : 1
      for (let i = 0; i < calls.length; i += atOnce) {
        made.push(...(await Promise.all(calls.slice(i, i + atOnce).map((portion) => call(asked, portion, signal)))))
      }
    } catch (error) {
      throw error instanceof ModelError ? error : new ModelError(await reasonOf('embedding', error, signal), { retryable: true })
    }
    return made.flat()
  }

  return {
    model: options.model,
    dimensions,
    async embed(texts, { signal }) {
      const pieces = texts.flatMap((text, of) => inPieces(text).map((piece) => ({ of, piece })))
      const values = pieces.map(({ piece }) => piece)
      const vectors = values.length === 0 ? [] : await vectorsOf(values, signal)
      const sums = texts.map(() => new Float32Array(dimensions))
      pieces.forEach(({ of, piece }, i) => {
        const sum = sums[of] as Float32Array
        vectors[i]?.forEach((x, j) => {
          sum[j] = (sum[j] as number) + x * (piece.length || 1)
        })
      })
      return sums.map(unit)
    },
    async close() {},
  }
}

/** Cut between characters, not within a surrogate pair. */
const inPieces = (text: string): string[] =>
  text.match(new RegExp(`[^]{1,${PIECE}}(?<![\\uD800-\\uDBFF](?=[\\uDC00-\\uDFFF]))`, 'g')) ?? [text]

/** What goes in one call each. */
function portions(values: readonly string[], most: number): string[][] {
  const made: string[][] = []
  let characters = 0
  for (const value of values) {
    const last = made.at(-1)
    characters += value.length
    if (last && last.length < most && characters <= CHARACTERS) last.push(value)
    else {
      made.push([value])
      characters = value.length
    }
  }
  return made
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector)
  if (!(length > 0 && length < Number.POSITIVE_INFINITY)) throw new ModelError('embedding (not a vector)', { retryable: true })
  return vector.map((x) => x / length)
}
