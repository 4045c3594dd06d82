import { completeCommitment } from '@twofold/core/commitments/complete.ts'
import { Outcome } from '@twofold/core/commitments/create.ts'
import { MemoryId } from '@twofold/core/memories/fields.ts'
import { Remembered } from '@twofold/core/memories/memory.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { extractor } from '../parts/extractor.ts'
import { queue } from '../parts/queue.ts'

export const complete = operation({
  name: 'commitments.complete',
  method: 'post',
  path: '/v1/commitments/{id}/complete',
  scope: 'memories:write',
  summary: 'Note that what was promised is done: a new version.',
  mcp: 'complete_commitment',
  input: z.strictObject({ id: MemoryId, outcome: Outcome.optional() }),
  output: Remembered,
  etag: ({ memory }) => memory.version,
  example: { id: '0192f0c1-2a3b-7c4d-8e5f-60718293a4b5', outcome: 'Sent on Friday.' },
  needs: [embedder, extractor, queue],
  handle: async (deps, { id, outcome }, caller) => {
    const { answer: remembered, replayed } = await completeCommitment(deps, caller, id, outcome)
    return answer(remembered, { replayed })
  },
})

export const handler = lambda(complete)
