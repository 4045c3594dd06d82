import { Unmerged, UnmergeInput, unmergeEntity } from '@twofold/core/entities/merge.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { graph } from '../parts/graph.ts'
import { queue } from '../parts/queue.ts'

export const unmerge = operation({
  name: 'graph.unmerge_entity',
  method: 'post',
  path: '/v1/graph/entities/{id}/unmerge',
  scope: 'graph:write',
  summary: 'Undo a merger: what was said by the name of this entity means it again.',
  input: UnmergeInput,
  output: Unmerged,
  needs: [graph, queue],
  handle: async (deps, input, caller) => {
    const { answer: unmerged, replayed } = await unmergeEntity(deps, caller, input)
    return answer(unmerged, { replayed })
  },
})

export const handler = lambda(unmerge)
