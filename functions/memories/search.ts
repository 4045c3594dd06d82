import { recall } from '@twofold/core/memories/recall.ts'
import { SearchQuery, SearchResult } from '@twofold/core/memories/search.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { graph } from '../parts/graph.ts'

export const search = operation({
  name: 'memories.search',
  method: 'post',
  path: '/v1/memories/search',
  scope: 'memories:read',
  summary: 'Find memories by meaning, words and connections.',
  mcp: 'search_memories',
  input: SearchQuery,
  output: SearchResult,
  write: false,
  example: { userId: 'alice', query: 'Who did she meet in Berlin?', limit: 5 },
  needs: [graph, embedder],
  handle: (deps, input, caller) => recall(deps, caller, input),
})

export const handler = lambda(search)
