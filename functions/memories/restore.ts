import { MemoryId, Version } from '@twofold/core/memories/fields.ts'
import { Remembered } from '@twofold/core/memories/memory.ts'
import { restore as restoreMemory } from '@twofold/core/memories/restore.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { queue } from '../parts/queue.ts'

export const restore = operation({
  name: 'memories.restore',
  method: 'post',
  path: '/v1/memories/{id}/restore',
  scope: 'memories:write',
  summary: 'Undo a soft deletion, or make an old version the newest.',
  mcp: 'restore_memory',
  input: z.strictObject({ id: MemoryId, version: Version.optional() }),
  output: Remembered,
  etag: ({ memory }) => memory.version,
  needs: [embedder, queue],
  handle: async (deps, { id, version }, caller) => {
    const { answer: remembered, replayed } = await restoreMemory(deps, caller, id, version)
    return answer(remembered, { replayed })
  },
})

export const handler = lambda(restore)
