import { Consolidated, ConsolidateInput, consolidate as consolidateMemories } from '@twofold/core/consolidation/consolidate.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { language } from '../parts/language.ts'
import { queue } from '../parts/queue.ts'

export const consolidate = operation({
  name: 'memories.consolidate',
  method: 'post',
  path: '/v1/memories/consolidate',
  scope: 'memories:write',
  summary: 'Merge memories of one namespace that say the same, one part at a time; each merged one can be restored.',
  input: ConsolidateInput,
  output: Consolidated,
  example: { namespace: 'user:alice', strategy: 'similar', dryRun: true },
  needs: [language, queue],
  handle: async (deps, input, caller) => {
    const { answer: consolidated, replayed } = await consolidateMemories(deps, caller, input)
    return answer(consolidated, { replayed })
  },
})

export const handler = lambda(consolidate)
