import { Id } from '@twofold/core/memories/fields.ts'
import { moveSession } from '@twofold/core/sessions/move.ts'
import { SessionAnswer, Status } from '@twofold/core/sessions/session.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { queue } from '../parts/queue.ts'

export const updateStatus = operation({
  name: 'sessions.update_status',
  method: 'patch',
  path: '/v1/sessions/{id}',
  scope: 'sessions:write',
  summary: 'Bring a session into another status: active, paused, terminated or archived.',
  mcp: 'update_session_status',
  input: z.strictObject({ id: Id, status: Status }),
  output: SessionAnswer,
  ifMatch: true,
  etag: ({ session }) => session.version,
  example: { id: 'today', status: 'active' },
  needs: [queue],
  handle: async (deps, { id, status }, caller) => {
    const { answer: moved, replayed } = await moveSession(deps, caller, id, status)
    return answer(moved, { replayed })
  },
})

export const handler = lambda(updateStatus)
