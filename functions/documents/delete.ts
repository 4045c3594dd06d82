import { removeDocument } from '@twofold/core/documents/remove.ts'
import { MemoryId } from '@twofold/core/memories/fields.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { queue } from '../parts/queue.ts'

export const remove = operation({
  name: 'documents.delete',
  method: 'delete',
  path: '/v1/documents/{id}',
  scope: 'documents:write',
  summary: 'Remove a document for good: its chunks are out of every search at once.',
  input: z.strictObject({ id: MemoryId }),
  output: z.object({ deleted: z.boolean() }),
  ifMatch: true,
  needs: [queue],
  handle: async (deps, { id }, caller) => {
    const { replayed } = await removeDocument(deps, caller, id)
    return answer({ deleted: true }, { replayed })
  },
})

export const handler = lambda(remove)
