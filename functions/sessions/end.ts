import { Id } from '@twofold/core/memories/fields.ts'
import { endSession } from '@twofold/core/sessions/end.ts'
import { SessionAnswer } from '@twofold/core/sessions/session.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { queue } from '../parts/queue.ts'

export const end = operation({
  name: 'sessions.end',
  method: 'post',
  path: '/v1/sessions/{id}/terminate',
  scope: 'sessions:write',
  summary: 'End a session: its temporary state goes, its memories stay.',
  mcp: 'end_session',
  input: z.strictObject({ id: Id }),
  output: SessionAnswer,
  ifMatch: true,
  etag: ({ session }) => session.version,
  needs: [queue],
  handle: async (deps, { id }, caller) => {
    const { answer: ended, replayed } = await endSession(deps, caller, id)
    return answer(ended, { replayed })
  },
})

export const handler = lambda(end)
