import { Conversation } from '@twofold/core/conversations/conversation.ts'
import { readConversation } from '@twofold/core/conversations/read.ts'
import { Id } from '@twofold/core/memories/fields.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const get = operation({
  name: 'conversations.get',
  method: 'get',
  path: '/v1/conversations/{id}',
  scope: 'sessions:read',
  summary: 'How long a conversation is, since when, and until when.',
  input: z.strictObject({ id: Id, maxStalenessMs }),
  output: Conversation,
  handle: (deps, { id }, caller) => readConversation(deps, caller, id),
})

export const handler = lambda(get)
