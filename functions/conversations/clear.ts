import { clearConversation } from '@twofold/core/conversations/clear.ts'
import { Id } from '@twofold/core/memories/fields.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const clear = operation({
  name: 'conversations.clear',
  method: 'delete',
  path: '/v1/conversations/{id}',
  scope: 'sessions:write',
  summary: 'Remove a conversation with all its turns; memories that were made of them stay.',
  mcp: 'clear_memory',
  input: z.strictObject({ id: Id }),
  output: z.object({ cleared: z.boolean().meta({ description: 'False when there was none.' }) }),
  handle: async (deps, { id }, caller) => {
    const { answer: cleared, replayed } = await clearConversation(deps, caller, id)
    return answer(cleared, { replayed })
  },
})

export const handler = lambda(clear)
