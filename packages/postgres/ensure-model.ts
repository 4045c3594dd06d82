import { createHash } from 'node:crypto'
import { raw, sql } from '@twofold/core/sql.ts'
import type { Endpoint } from './endpoint.ts'
import { asOwner } from './owner.ts'

/**
 * Makes the vector index of one embedding model when it is missing: HNSW over half precision, live rows of that model
 * only, so that a new model fills up while the old one answers. Done by the owner at migration or start.
 */
export async function ensureModel(endpoint: Endpoint, model: string, dimensions: number): Promise<void> {
  if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > 4000) {
    throw new Error(`an embedding model of ${dimensions} dimensions cannot be indexed: 1 to 4000 are allowed`)
  }
  const owner = asOwner(endpoint)
  const [literal] = await owner([sql`select quote_literal(${model}) as model`])
  await owner([
    raw(`create index if not exists ${indexOf(model)} on twofold.embeddings
      using hnsw ((embedding::halfvec(${dimensions})) halfvec_cosine_ops) with (m = 16, ef_construction = 64)
      where model = ${literal?.[0]?.model} and live`),
  ])
}

/** The name of a model's vector index, as plans show it. */
export const indexOf = (model: string): string => `embeddings_of_${createHash('sha256').update(model).digest('hex').slice(0, 12)}`
