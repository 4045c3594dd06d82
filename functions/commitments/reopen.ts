import { reopenCommitment } from '@twofold/core/commitments/reopen.ts'
import { line, MemoryId, Moment } from '@twofold/core/memories/fields.ts'
import { Remembered } from '@twofold/core/memories/memory.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { extractor } from '../parts/extractor.ts'
import { queue } from '../parts/queue.ts'

export const reopen = operation({
  name: 'commitments.reopen',
  method: 'post',
  path: '/v1/commitments/{id}/reopen',
  scope: 'memories:write',
  summary: 'Note that what was completed is to be done after all: a new version.',
  mcp: 'reopen_commitment',
  input: z.strictObject({
    id: MemoryId,
    dueAt: Moment.nullish().meta({ description: 'Without it, due when it was before.' }),
    reason: line(1000).optional().meta({ description: 'Noted in its history.' }),
  }),
  output: Remembered,
  etag: ({ memory }) => memory.version,
  example: { id: '0192f0c1-2a3b-7c4d-8e5f-60718293a4b5', dueAt: '2026-08-01T00:00:00Z', reason: 'It bounced.' },
  needs: [embedder, extractor, queue],
  handle: async (deps, { id, ...changes }, caller) => {
    const { answer: remembered, replayed } = await reopenCommitment(deps, caller, id, changes)
    return answer(remembered, { replayed })
  },
})

export const handler = lambda(reopen)
