import { Key } from '@twofold/core/memories/fields.ts'
import { Receipt } from '@twofold/core/memories/memory.ts'
import { forgetKey } from '@twofold/core/namespaces/forget-key.ts'
import { Namespace } from '@twofold/core/namespaces/namespace.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { queue } from '../parts/queue.ts'

export const deleteKey = operation({
  name: 'namespaces.delete_key',
  method: 'delete',
  path: '/v1/namespaces/{namespace}/keys/{key}',
  scope: 'memories:write',
  summary: 'Delete the memory that has a key: softly, keeping every version, or for good. The key is free again.',
  mcp: 'delete_key',
  input: z.strictObject({
    namespace: Namespace,
    key: Key,
    hard: z.boolean().default(false).meta({ description: 'Remove every version, vector and graph node for good.' }),
    cascadeGraph: z.boolean().default(true).meta({ description: 'False keeps the entities that only this memory mentioned.' }),
  }),
  output: z.object({ deleted: z.boolean(), hard: z.boolean(), receipt: Receipt }),
  ifMatch: true,
  needs: [queue],
  handle: async (deps, { namespace, key, ...options }, caller) => {
    const { answer: forgotten, replayed } = await forgetKey(deps, caller, { namespace, key }, options)
    return answer(forgotten, { replayed })
  },
})

export const handler = lambda(deleteKey)
