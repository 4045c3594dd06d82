import type { SharedV4ProviderOptions } from '@ai-sdk/provider'

/** What is asked of vectors, known without loading what makes them. */
export interface Embedding {
  /** `provider:model` */
  model: string
  dimensions?: number
}

type Shorter = (dimensions: number) => SharedV4ProviderOptions

const openai: Shorter = (dimensions) => ({ openai: { dimensions } })
const titan: Shorter = (dimensions) => ({ bedrock: { dimensions } })
const google: Shorter = (dimensions) => ({ google: { outputDimensionality: dimensions } })

/** What common models answer, and how those are asked that can answer shorter vectors. */
const KNOWN: Record<string, { dimensions: number; shorter?: Shorter }> = {
  'openai:text-embedding-3-small': { dimensions: 1536, shorter: openai },
  'openai:text-embedding-3-large': { dimensions: 3072, shorter: openai },
  'openai:text-embedding-ada-002': { dimensions: 1536 },
  'amazon-bedrock:amazon.titan-embed-text-v2:0': { dimensions: 1024, shorter: titan },
  'amazon-bedrock:cohere.embed-english-v3': { dimensions: 1024 },
  'amazon-bedrock:cohere.embed-multilingual-v3': { dimensions: 1024 },
  'google:gemini-embedding-001': { dimensions: 3072, shorter: google },
  'mistral:mistral-embed': { dimensions: 1024 },
  'cohere:embed-english-v3.0': { dimensions: 1024 },
  'cohere:embed-multilingual-v3.0': { dimensions: 1024 },
}

/** The most that Postgres can index as `halfvec`. */
const MOST_DIMENSIONS = 4_000

/** How long the vectors of a model are, and how it is asked for them where it can answer shorter ones. Refuses what the model or Postgres cannot. */
export function dimensionsOf({ model, dimensions }: Embedding): { dimensions: number; providerOptions?: ReturnType<Shorter> } {
  const known = KNOWN[model]
  const wanted = dimensions ?? known?.dimensions
  if (wanted === undefined) throw new Error(`How many dimensions ${model} answers is not known: set EMBEDDING_DIMENSIONS.`)
  if (wanted > MOST_DIMENSIONS) throw new Error(`EMBEDDING_DIMENSIONS is ${wanted}; allowed is at most ${MOST_DIMENSIONS}.`)
  if (!known || wanted === known.dimensions) return { dimensions: wanted }
  if (!known.shorter || wanted > known.dimensions) {
    throw new Error(`EMBEDDING_DIMENSIONS is ${wanted}; ${model} answers ${known.dimensions}${known.shorter ? ' or fewer' : ''}.`)
  }
  return { dimensions: wanted, providerOptions: known.shorter(wanted) }
}
