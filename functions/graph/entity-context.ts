import { ContextQuery, EntityContext, getEntityContext } from '@twofold/core/entities/context.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { graph } from '../parts/graph.ts'

export const context = operation({
  name: 'graph.entity_context',
  method: 'get',
  path: '/v1/graph/entities/{id}/context',
  scope: 'graph:read',
  summary: 'What is known around an entity: its memories, relations and open commitments.',
  mcp: 'get_entity_context',
  input: ContextQuery.extend({ maxStalenessMs }),
  output: EntityContext,
  needs: [graph],
  handle: (deps, input, caller) => getEntityContext(deps, caller, input),
})

export const handler = lambda(context)
