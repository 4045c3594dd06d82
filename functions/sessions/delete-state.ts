import { Id } from '@twofold/core/memories/fields.ts'
import { StateKey } from '@twofold/core/sessions/state.ts'
import { deleteState } from '@twofold/core/sessions/write-state.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const deleteStateKey = operation({
  name: 'sessions.delete_state',
  method: 'delete',
  path: '/v1/sessions/{id}/state/{key}',
  scope: 'sessions:write',
  summary: 'Take one key out of the state of a session.',
  input: z.strictObject({ id: Id, key: StateKey }),
  output: z.object({ deleted: z.literal(true) }),
  ifMatch: true,
  handle: async (deps, { id, key }, caller) => {
    const { answer: deleted, replayed } = await deleteState(deps, caller, id, key)
    return answer(deleted, { replayed })
  },
})

export const handler = lambda(deleteStateKey)
