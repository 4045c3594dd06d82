import { Id } from '@twofold/core/memories/fields.ts'
import { listEvents, SessionEvent } from '@twofold/core/sessions/events.ts'
import { cursor, cursorAt, limit, Page } from '@twofold/operation/page.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

const Seq = z.int().min(0).max(2_147_483_647)

export const events = operation({
  name: 'sessions.events',
  method: 'get',
  path: '/v1/sessions/{id}/events',
  scope: 'sessions:read',
  summary: 'What happened in a session, in its order, archived or not.',
  input: z
    .strictObject({
      id: Id,
      after: Seq.optional().meta({ description: 'Only those after this number.' }),
      taskId: Id.optional(),
      maxStalenessMs,
      limit,
      cursor: cursor(Seq),
    })
    .refine(({ after, cursor }) => after === undefined || cursor === undefined || cursor >= after, {
      path: ['cursor'],
      message: 'must be the nextCursor of an earlier answer to the same request',
    }),
  output: Page(SessionEvent),
  handle: async (deps, { id, after, taskId, limit, cursor }, caller) => {
    const { items, next } = await listEvents(deps, caller, id, { after: cursor ?? after ?? 0, taskId, limit })
    return { items, nextCursor: cursorAt(next) }
  },
})

export const handler = lambda(events)
