import { MemoryId } from '@twofold/core/memories/fields.ts'
import { Changes } from '@twofold/core/memories/input.ts'
import { Remembered } from '@twofold/core/memories/memory.ts'
import { update as updateMemory } from '@twofold/core/memories/update.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { extractor } from '../parts/extractor.ts'
import { graph } from '../parts/graph.ts'
import { queue } from '../parts/queue.ts'

export const update = operation({
  name: 'memories.update',
  method: 'patch',
  path: '/v1/memories/{id}',
  scope: 'memories:write',
  summary: 'Change a memory: a new version in both stores.',
  mcp: 'update_memory',
  input: Changes.safeExtend({ id: MemoryId }),
  output: Remembered,
  ifMatch: true,
  etag: ({ memory }) => memory.version,
  example: { id: '0192f0c1-2a3b-7c4d-8e5f-60718293a4b5', content: 'The office is in Porto.' },
  needs: [graph, embedder, extractor, queue],
  handle: async (deps, { id, ...changes }, caller) => {
    const { answer: remembered, replayed } = await updateMemory(deps, caller, id, changes)
    return answer(remembered, { replayed })
  },
})

export const handler = lambda(update)
