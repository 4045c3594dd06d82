import { MemoryId } from '@twofold/core/memories/fields.ts'
import { forget } from '@twofold/core/memories/forget.ts'
import { Receipt } from '@twofold/core/memories/memory.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { queue } from '../parts/queue.ts'

export const remove = operation({
  name: 'memories.delete',
  method: 'delete',
  path: '/v1/memories/{id}',
  scope: 'memories:write',
  summary: 'Delete a memory: softly, keeping every version, or for good.',
  mcp: 'delete_memory',
  input: z.strictObject({
    id: MemoryId,
    hard: z.boolean().default(false).meta({ description: 'Remove every version, vector and graph node for good.' }),
    cascadeGraph: z.boolean().default(true).meta({ description: 'False keeps the entities that only this memory mentioned.' }),
  }),
  output: z.object({ deleted: z.boolean(), hard: z.boolean(), receipt: Receipt }),
  ifMatch: true,
  needs: [queue],
  handle: async (deps, { id, ...options }, caller) => {
    const { answer: forgotten, replayed } = await forget(deps, caller, id, options)
    return answer(forgotten, { replayed })
  },
})

export const handler = lambda(remove)
