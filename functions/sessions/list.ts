import { Id, Moment } from '@twofold/core/memories/fields.ts'
import { Name } from '@twofold/core/namespaces/namespace.ts'
import { listSessions, Position } from '@twofold/core/sessions/list.ts'
import { Session, Status } from '@twofold/core/sessions/session.ts'
import { cursor, cursorAt, limit, Page } from '@twofold/operation/page.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const list = operation({
  name: 'sessions.list',
  method: 'get',
  path: '/v1/sessions',
  scope: 'sessions:read',
  summary: 'Sessions in the order they were started, filtered; with updatedSince in the order of their last change.',
  mcp: 'list_sessions',
  input: z
    .strictObject({
      status: Status.optional(),
      userId: Name.optional(),
      projectId: Id.optional(),
      appName: Name.optional(),
      updatedSince: Moment.optional(),
      maxStalenessMs,
      limit,
      cursor: cursor(Position),
    })
    .refine(({ updatedSince, cursor }) => !cursor || (updatedSince === undefined) === (cursor.at === undefined), {
      path: ['cursor'],
      message: 'must be the nextCursor of an earlier answer to the same request',
    }),
  output: Page(Session),
  handle: async (deps, { cursor, maxStalenessMs, ...query }, caller) => {
    const { items, next } = await listSessions(deps, caller, { ...query, after: cursor })
    return { items, nextCursor: cursorAt(next) }
  },
})

export const handler = lambda(list)
