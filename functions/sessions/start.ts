import { SessionAnswer } from '@twofold/core/sessions/session.ts'
import { SessionInput, startSession } from '@twofold/core/sessions/start.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { queue } from '../parts/queue.ts'

export const start = operation({
  name: 'sessions.start',
  method: 'post',
  path: '/v1/sessions',
  scope: 'sessions:write',
  summary: 'Start a session: a unit of work that memories can be told to come from.',
  mcp: 'start_session',
  input: SessionInput,
  output: SessionAnswer,
  status: 201,
  etag: ({ session }) => session.version,
  example: { appName: 'assistant', userId: 'alice', state: { 'session:step': 1 } },
  needs: [queue],
  handle: async (deps, input, caller) => {
    const { answer: started, replayed } = await startSession(deps, caller, input)
    return answer(started, { replayed })
  },
})

export const handler = lambda(start)
