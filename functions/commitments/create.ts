import { CommitmentInput, createCommitment } from '@twofold/core/commitments/create.ts'
import { Remembered } from '@twofold/core/memories/memory.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { extractor } from '../parts/extractor.ts'
import { graph } from '../parts/graph.ts'
import { queue } from '../parts/queue.ts'

export const create = operation({
  name: 'commitments.create',
  method: 'post',
  path: '/v1/commitments',
  scope: 'memories:write',
  summary: 'Remember who will do what, and until when.',
  mcp: 'create_commitment',
  input: CommitmentInput,
  output: Remembered,
  status: 201,
  etag: ({ memory }) => memory.version,
  example: {
    userId: 'alice',
    title: 'Send the report',
    owner: 'Bob',
    dueAt: '2026-07-01T00:00:00Z',
    about: [{ type: 'organization', value: 'Acme' }],
  },
  needs: [graph, embedder, extractor, queue],
  handle: async (deps, input, caller) => {
    const { answer: remembered, replayed } = await createCommitment(deps, caller, input)
    return answer(remembered, { replayed })
  },
})

export const handler = lambda(create)
