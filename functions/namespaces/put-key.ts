import { Remembered } from '@twofold/core/memories/memory.ts'
import { PutKey, putKey as put } from '@twofold/core/namespaces/put-key.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { extractor } from '../parts/extractor.ts'
import { graph } from '../parts/graph.ts'
import { queue } from '../parts/queue.ts'

export const putKey = operation({
  name: 'namespaces.put_key',
  method: 'put',
  path: '/v1/namespaces/{namespace}/keys/{key}',
  scope: 'memories:write',
  summary: 'Set a key: version 1 of a new memory, or the next version of the one that has the key, or had it last.',
  description: 'What is not named has its default, as in a new memory. To change some of it, PATCH the memory by its id.',
  mcp: 'put_key',
  input: PutKey,
  output: Remembered,
  statuses: [201],
  ifMatch: true,
  etag: ({ memory }) => memory.version,
  example: { namespace: 'user:alice:preferences', key: 'theme', value: { mode: 'dark' } },
  needs: [graph, embedder, extractor, queue],
  handle: async (deps, input, caller) => {
    const { answer: remembered, replayed } = await put(deps, caller, input)
    return answer(remembered, { replayed, status: remembered.memory.version === 1 ? 201 : 200 })
  },
})

export const handler = lambda(putKey)
