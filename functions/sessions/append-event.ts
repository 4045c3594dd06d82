import { Id } from '@twofold/core/memories/fields.ts'
import { Appended, appendEvents, EventsInput, oneOrMany } from '@twofold/core/sessions/append.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const append = operation({
  name: 'sessions.append_event',
  method: 'post',
  path: '/v1/sessions/{id}/events',
  scope: 'sessions:write',
  summary: 'Note what happened in a session, one event or several, and merge a change into its state.',
  mcp: 'append_event',
  input: EventsInput.extend({ id: Id }).superRefine(oneOrMany),
  output: Appended,
  ifMatch: true,
  etag: ({ session }) => session.version,
  example: { id: 'today', event: { type: 'tool', name: 'search' }, stateDelta: { 'session:step': 2 }, taskId: 'find a flat' },
  handle: async (deps, { id, ...input }, caller) => {
    const { answer: appended, replayed } = await appendEvents(deps, caller, id, input)
    return answer(appended, { replayed })
  },
})

export const handler = lambda(append)
