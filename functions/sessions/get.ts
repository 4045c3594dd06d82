import { Id } from '@twofold/core/memories/fields.ts'
import { readSession } from '@twofold/core/sessions/read.ts'
import { SessionAnswer } from '@twofold/core/sessions/session.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const get = operation({
  name: 'sessions.get',
  method: 'get',
  path: '/v1/sessions/{id}',
  scope: 'sessions:read',
  summary: 'One session.',
  mcp: 'get_session',
  input: z.strictObject({ id: Id, maxStalenessMs }),
  output: SessionAnswer,
  etag: ({ session }) => session.version,
  handle: (deps, { id }, caller) => readSession(deps, caller, id),
})

export const handler = lambda(get)
