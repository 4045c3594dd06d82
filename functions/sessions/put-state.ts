import { Id } from '@twofold/core/memories/fields.ts'
import { StateAnswer } from '@twofold/core/sessions/read-state.ts'
import { StateKey } from '@twofold/core/sessions/state.ts'
import { putState } from '@twofold/core/sessions/write-state.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const putStateKey = operation({
  name: 'sessions.put_state',
  method: 'put',
  path: '/v1/sessions/{id}/state/{key}',
  scope: 'sessions:write',
  summary: 'Set one key of the state of a session, its own or one that it shares.',
  input: z.strictObject({ id: Id, key: StateKey, value: z.json() }),
  output: StateAnswer,
  ifMatch: true,
  etag: ({ version }) => version,
  example: { id: 'today', key: 'session:theme', value: { dark: true } },
  handle: async (deps, { id, key, value }, caller) => {
    const { answer: put, replayed } = await putState(deps, caller, id, key, value)
    return answer(put, { replayed })
  },
})

export const handler = lambda(putStateKey)
