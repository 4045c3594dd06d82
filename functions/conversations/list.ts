import { Conversation } from '@twofold/core/conversations/conversation.ts'
import { listConversations } from '@twofold/core/conversations/list.ts'
import { MemoryId } from '@twofold/core/memories/fields.ts'
import { Name } from '@twofold/core/namespaces/namespace.ts'
import { cursor, cursorAt, limit, Page } from '@twofold/operation/page.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const list = operation({
  name: 'conversations.list',
  method: 'get',
  path: '/v1/conversations',
  scope: 'sessions:read',
  summary: 'Conversations, the one that began last first.',
  input: z.strictObject({ userId: Name.optional(), limit, cursor: cursor(MemoryId), maxStalenessMs }),
  output: Page(Conversation),
  handle: async (deps, { userId, limit, cursor: after = null }, caller) => {
    const { items, next } = await listConversations(deps, caller, { userId, limit, after })
    return { items, nextCursor: cursorAt(next) }
  },
})

export const handler = lambda(list)
