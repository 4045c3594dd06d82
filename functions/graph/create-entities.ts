import { createEntity, EntitiesCreated, EntitiesInput } from '@twofold/core/entities/create.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { graph } from '../parts/graph.ts'
import { queue } from '../parts/queue.ts'

export const createEntities = operation({
  name: 'graph.create_entities',
  method: 'post',
  path: '/v1/graph/entities',
  scope: 'graph:write',
  summary: 'Make entities for their own sake: they stay when no memory mentions them.',
  input: EntitiesInput,
  output: EntitiesCreated,
  example: { entities: [{ type: 'person', value: 'Ada Lovelace', subject: 'user:alice' }] },
  needs: [graph, queue],
  handle: async (deps, input, caller) => {
    const { answer: made, replayed } = await createEntity(deps, caller, input)
    return answer(made, { replayed })
  },
})

export const handler = lambda(createEntities)
