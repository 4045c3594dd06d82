import { addTurn as add } from '@twofold/core/conversations/add-turn.ts'
import { TurnAnswer, TurnInput } from '@twofold/core/conversations/conversation.ts'
import { Id } from '@twofold/core/memories/fields.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { extractor } from '../parts/extractor.ts'
import { queue } from '../parts/queue.ts'

const ConversationId = Id.refine((id) => !/^(\.{1,2}|cleanup)$/.test(id), 'must not be "cleanup", "." or "..": no path leads there')

export const addTurn = operation({
  name: 'conversations.add_turn',
  method: 'post',
  path: '/v1/conversations/{id}/turns',
  scope: 'sessions:write',
  summary: 'Add what was asked and answered to a conversation, which begins with its first turn.',
  mcp: 'add_to_memory',
  input: TurnInput.safeExtend({ id: ConversationId }),
  output: TurnAnswer,
  status: 201,
  example: { id: 'support-4711', userId: 'alice', query: 'Where is my order?', answer: 'It left Turin this morning.' },
  needs: [embedder, extractor, queue],
  handle: async (deps, { id, ...input }, caller) => {
    const { answer: added, replayed } = await add(deps, caller, id, input)
    return answer(added, { replayed })
  },
})

export const handler = lambda(addTurn)
