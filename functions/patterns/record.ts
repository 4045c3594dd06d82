import { Remembered } from '@twofold/core/memories/memory.ts'
import { PatternInput, recordPattern } from '@twofold/core/patterns/record.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { extractor } from '../parts/extractor.ts'
import { graph } from '../parts/graph.ts'
import { queue } from '../parts/queue.ts'

export const record = operation({
  name: 'patterns.record',
  method: 'post',
  path: '/v1/patterns',
  scope: 'memories:write',
  summary: 'Remember what happens again and again; recorded once more, it has happened once more.',
  mcp: 'record_pattern',
  input: PatternInput,
  output: Remembered,
  status: 201,
  statuses: [200],
  etag: ({ memory }) => memory.version,
  example: { userId: 'alice', name: 'Standup', description: 'Daily at nine.', confidence: 0.8 },
  needs: [graph, embedder, extractor, queue],
  handle: async (deps, input, caller) => {
    const { answer: remembered, replayed } = await recordPattern(deps, caller, input)
    return answer(remembered, { replayed, status: remembered.memory.version === 1 ? 201 : 200 })
  },
})

export const handler = lambda(record)
