import { Merged, MergeInput, mergeEntities } from '@twofold/core/entities/merge.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { graph } from '../parts/graph.ts'
import { queue } from '../parts/queue.ts'

export const merge = operation({
  name: 'graph.merge_entities',
  method: 'post',
  path: '/v1/graph/entities/{id}/merge',
  scope: 'graph:write',
  summary: 'Make two entities one: the first becomes another name of the one that is kept. It can be undone.',
  input: MergeInput,
  output: Merged,
  example: { id: '0192f0c1-2a3b-7c4d-8e5f-60718293a4b5', into: '0192f0c1-2a3b-7c4d-8e5f-60718293a4b6' },
  needs: [graph, queue],
  handle: async (deps, input, caller) => {
    const { answer: merged, replayed } = await mergeEntities(deps, caller, input)
    return answer(merged, { replayed })
  },
})

export const handler = lambda(merge)
