import { RememberInput } from '@twofold/core/memories/input.ts'
import { Remembered } from '@twofold/core/memories/memory.ts'
import { remember } from '@twofold/core/memories/remember.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { extractor } from '../parts/extractor.ts'
import { graph } from '../parts/graph.ts'
import { queue } from '../parts/queue.ts'

export const add = operation({
  name: 'memories.add',
  method: 'post',
  path: '/v1/memories',
  scope: 'memories:write',
  summary: 'Remember one thing, in both stores.',
  mcp: 'add_memory',
  input: RememberInput,
  output: Remembered,
  status: 201,
  etag: ({ memory }) => memory.version,
  example: { userId: 'alice', content: 'Met John Smith from Acme in Berlin about the launch.' },
  needs: [graph, embedder, extractor, queue],
  handle: async (deps, input, caller) => {
    const { answer: remembered, replayed } = await remember(deps, caller, input)
    return answer(remembered, { replayed })
  },
})

export const handler = lambda(add)
