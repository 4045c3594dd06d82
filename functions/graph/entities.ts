import { EntitiesPage, EntitiesQuery, listEntities } from '@twofold/core/graph/entities.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const entities = operation({
  name: 'graph.entities',
  method: 'get',
  path: '/v1/graph/entities',
  scope: 'graph:read',
  summary: 'The entities that memories mention, by name, type and subject.',
  input: EntitiesQuery,
  output: EntitiesPage,
  handle: (deps, input, caller) => listEntities(deps, caller, input),
})

export const handler = lambda(entities)
