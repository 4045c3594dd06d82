import { Context, readContext } from '@twofold/core/conversations/context.ts'
import { Id } from '@twofold/core/memories/fields.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const context = operation({
  name: 'conversations.context',
  method: 'get',
  path: '/v1/conversations/{id}/context',
  scope: 'sessions:read',
  summary: 'What was said last in a conversation, oldest first; what has expired never.',
  mcp: 'get_conversation_context',
  input: z.strictObject({
    id: Id,
    limit: z.int().min(1).max(500).default(5).meta({ description: 'Turns at most, and never more than MEMORY_MAX_CONTEXT_LENGTH.' }),
    maxTokens: z.int().min(1).max(1_000_000).optional().meta({ description: 'Only the newest turns that fit into it together.' }),
    maxStalenessMs,
  }),
  output: Context,
  handle: (deps, { id, limit, maxTokens }, caller) => readContext(deps, caller, id, { limit, maxTokens }),
})

export const handler = lambda(context)
