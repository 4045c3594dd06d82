import { Id } from '@twofold/core/memories/fields.ts'
import { deleteSession } from '@twofold/core/sessions/delete.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { queue } from '../parts/queue.ts'

export const remove = operation({
  name: 'sessions.delete',
  method: 'delete',
  path: '/v1/sessions/{id}',
  scope: 'sessions:write',
  summary: 'Delete a session with its events; its memories stay, and belong to no session any more.',
  input: z.strictObject({ id: Id }),
  output: z.object({ deleted: z.literal(true) }),
  ifMatch: true,
  needs: [queue],
  handle: async (deps, { id }, caller) => {
    const { answer: deleted, replayed } = await deleteSession(deps, caller, id)
    return answer(deleted, { replayed })
  },
})

export const handler = lambda(remove)
