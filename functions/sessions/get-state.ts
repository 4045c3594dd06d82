import { Id } from '@twofold/core/memories/fields.ts'
import { readState, StateAnswer } from '@twofold/core/sessions/read-state.ts'
import { StateKey } from '@twofold/core/sessions/state.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const getState = operation({
  name: 'sessions.get_state',
  method: 'get',
  path: '/v1/sessions/{id}/state/{key}',
  scope: 'sessions:read',
  summary: 'One key of the state of a session.',
  input: z.strictObject({ id: Id, key: StateKey, maxStalenessMs }),
  output: StateAnswer,
  etag: ({ version }) => version,
  handle: (deps, { id, key }, caller) => readState(deps, caller, id, key),
})

export const handler = lambda(getState)
