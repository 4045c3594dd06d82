import { recallBatch } from '@twofold/core/memories/recall.ts'
import { BatchQuery, SearchResult } from '@twofold/core/memories/search.ts'
import { MIB } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { graph } from '../parts/graph.ts'

export const searchBatch = operation({
  name: 'memories.search_batch',
  method: 'post',
  path: '/v1/memories/search/batch',
  scope: 'memories:read',
  summary: 'Up to twenty searches in one request, answered in their order.',
  input: BatchQuery,
  output: z.object({ items: z.array(SearchResult) }),
  write: false,
  maxBytes: 4 * MIB,
  example: {
    queries: [
      { userId: 'alice', query: 'Where does she live?' },
      { userId: 'alice', query: 'Who is her manager?', limit: 3 },
    ],
  },
  needs: [graph, embedder],
  handle: (deps, input, caller) => recallBatch(deps, caller, input),
})

export const handler = lambda(searchBatch)
