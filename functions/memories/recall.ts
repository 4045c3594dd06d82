import { recallKinds } from '@twofold/core/memories/recall.ts'
import { RecallQuery, SearchResult } from '@twofold/core/memories/search.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { graph } from '../parts/graph.ts'

export const recall = operation({
  name: 'memories.recall',
  method: 'post',
  path: '/v1/memories/recall',
  scope: 'memories:read',
  summary: 'The best of several kinds of memories together, with what is connected to them.',
  mcp: 'recall',
  input: RecallQuery,
  output: SearchResult,
  write: false,
  example: { userId: 'alice', query: 'billing', memoryTypes: ['decision', 'commitment', 'pattern'] },
  needs: [graph, embedder],
  handle: (deps, input, caller) => recallKinds(deps, caller, input),
})

export const handler = lambda(recall)
