import { DecisionInput, recordDecision } from '@twofold/core/decisions/record.ts'
import { Remembered } from '@twofold/core/memories/memory.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { extractor } from '../parts/extractor.ts'
import { graph } from '../parts/graph.ts'
import { queue } from '../parts/queue.ts'

export const record = operation({
  name: 'decisions.record',
  method: 'post',
  path: '/v1/decisions',
  scope: 'memories:write',
  summary: 'Remember a decision: what, why, and what else was considered.',
  mcp: 'record_decision',
  input: DecisionInput,
  output: Remembered,
  status: 201,
  etag: ({ memory }) => memory.version,
  example: { userId: 'alice', title: 'Use Postgres', rationale: 'One truth.', alternatives: ['MongoDB'] },
  needs: [graph, embedder, extractor, queue],
  handle: async (deps, input, caller) => {
    const { answer: remembered, replayed } = await recordDecision(deps, caller, input)
    return answer(remembered, { replayed })
  },
})

export const handler = lambda(record)
