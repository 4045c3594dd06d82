import { findRelated, Related, RelatedQuery } from '@twofold/core/entities/related.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { graph } from '../parts/graph.ts'

export const related = operation({
  name: 'graph.related',
  method: 'get',
  path: '/v1/graph/entities/{id}/related',
  scope: 'graph:read',
  summary: 'The entities that relations lead to from one, up to four edges away.',
  mcp: 'find_related',
  input: RelatedQuery.extend({ maxStalenessMs }),
  output: Related,
  needs: [graph],
  handle: (deps, input, caller) => findRelated(deps, caller, input),
})

export const handler = lambda(related)
