import { findPaths, PathsAnswer, PathsQuery } from '@twofold/core/graph/paths.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { graph } from '../parts/graph.ts'

export const paths = operation({
  name: 'graph.paths',
  method: 'post',
  path: '/v1/graph/paths',
  scope: 'graph:read',
  summary: 'How two entities hang together: the shortest ways from one to the other.',
  mcp: 'find_paths',
  input: PathsQuery,
  output: PathsAnswer,
  write: false,
  example: { from: { type: 'person', value: 'Ada' }, to: { type: 'place', value: 'Turin' }, hops: 3, namespacePrefix: 'user:alice' },
  needs: [graph],
  handle: (deps, input, caller) => findPaths(deps, caller, input),
})

export const handler = lambda(paths)
