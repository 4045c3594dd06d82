import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { Name, Namespace, NamespacePrefix } from '../namespaces/namespace.ts'
import { Kind, MemoryType, Moment, onePlace } from './fields.ts'
import { BoundedFilter } from './filter.ts'
import { Memory } from './memory.ts'

export const SearchQuery = z
  .strictObject({
    query: z.string().min(1).max(10_000).optional(),
    embedding: z
      .array(z.number())
      .min(1)
      .max(8192)
      .refine((v) => v.some((x) => x !== 0), 'must not be all zeros')
      .optional(),
    namespace: Namespace.optional(),
    namespacePrefix: NamespacePrefix.optional(),
    userId: Name.optional(),
    limit: z.int().min(1).max(100).default(10),
    threshold: z.number().min(0).max(1).optional().meta({ description: 'Least cosine similarity (`parts.vector`).' }),
    types: z.array(MemoryType).min(1).optional(),
    kinds: z.array(Kind).min(1).max(50).optional(),
    tags: z.array(z.string().min(1).max(100)).min(1).max(50).optional().meta({ description: 'Memories that have any of these.' }),
    filter: BoundedFilter.optional(),
    since: Moment.optional(),
    until: Moment.optional(),
    asOf: Moment.optional(),
    mode: z.enum(['hybrid', 'vector', 'text']).default('hybrid'),
    precision: z.enum(['approximate', 'exact']).default('approximate'),
    expand: z.strictObject({ hops: z.int().min(0).max(3) }).optional(),
    maxStalenessMs,
  })
  .superRefine((input, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
    if (input.query === undefined && input.embedding === undefined) issue('query', 'is required, or embedding in its place')
    if (input.query === undefined && input.mode === 'text') issue('query', 'is required for mode text')
    onePlace(input, context)
    if (input.asOf !== undefined && input.namespace === undefined && input.namespacePrefix === undefined && input.userId === undefined)
      issue('asOf', 'needs a namespace, namespacePrefix or userId')
    if (input.asOf !== undefined && input.expand !== undefined)
      issue('expand', 'cannot be given together with asOf: the graph shows the present')
    if (input.threshold !== undefined && input.mode === 'text') issue('threshold', 'compares meanings, so mode cannot be text')
  })
export type SearchQuery = z.infer<typeof SearchQuery>

/** Several searches in one request. One that is wrong refuses all of them, by its place. */
export const BatchQuery = z.strictObject({ queries: z.array(SearchQuery).min(1).max(20) })
export type BatchQuery = z.infer<typeof BatchQuery>

export const RecallQuery = z
  .strictObject({
    query: z.string().min(1).max(10_000),
    memoryTypes: z.array(Kind).min(1).max(50).meta({ description: 'Kinds of memories, such as decision, commitment and pattern.' }),
    namespace: Namespace.optional(),
    namespacePrefix: NamespacePrefix.optional(),
    userId: Name.optional(),
    limit: z.int().min(1).max(100).default(10),
    maxStalenessMs,
  })
  .superRefine(onePlace)
export type RecallQuery = z.infer<typeof RecallQuery>

const Parts = z.object({
  vector: z.number().optional(),
  text: z.number().optional(),
  entity: z.number().optional(),
  recency: z.number().optional(),
  importance: z.number().optional(),
})

export const SearchResult = z
  .object({
    results: z.array(
      z.object({
        memory: Memory,
        score: z.number(),
        parts: Parts,
        via: z.object({ from: z.string(), hops: z.number() }).optional().meta({ description: 'Found over the graph, from this result.' }),
      }),
    ),
    freshness: z.object({ asOf: z.string(), graphLagMs: z.number(), cached: z.boolean() }),
    degraded: z.array(z.string()),
  })
  .meta({ id: 'SearchResult' })
export type SearchResult = z.infer<typeof SearchResult>
