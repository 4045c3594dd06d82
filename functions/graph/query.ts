import { GraphAnswer, GraphQuery, queryGraph } from '@twofold/core/graph/query.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { graph } from '../parts/graph.ts'

export const query = operation({
  name: 'graph.query',
  method: 'post',
  path: '/v1/graph/query',
  scope: 'graph:read',
  summary: 'What hangs together with a memory or an entity, up to four edges away.',
  mcp: 'query_graph',
  input: GraphQuery,
  output: GraphAnswer,
  write: false,
  example: { start: { type: 'person', value: 'John Smith' }, hops: 2, limit: 20, namespacePrefix: 'user:alice' },
  needs: [graph],
  handle: (deps, input, caller) => queryGraph(deps, caller, input),
})

export const handler = lambda(query)
