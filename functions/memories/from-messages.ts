import { fromMessages as rememberMessages } from '@twofold/core/messages/from-messages.ts'
import { MessagesAnswer, MessagesInput } from '@twofold/core/messages/message.ts'
import { answer, MIB } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { extractor } from '../parts/extractor.ts'
import { language } from '../parts/language.ts'
import { queue } from '../parts/queue.ts'

export const fromMessages = operation({
  name: 'memories.from_messages',
  method: 'post',
  path: '/v1/memories/from-messages',
  scope: 'memories:write',
  summary: 'Remember what was said: facts, merged into what is known, or one memory a message.',
  mcp: 'add_messages',
  input: MessagesInput,
  output: MessagesAnswer,
  status: 201,
  maxBytes: 4 * MIB,
  example: {
    userId: 'alice',
    messages: [{ role: 'user', name: 'Alice', content: 'I have moved to Paris.', createdAt: '2026-03-01T12:00:00Z' }],
  },
  needs: [embedder, extractor, language, queue],
  handle: async (deps, input, caller) => {
    const { answer: heard, replayed } = await rememberMessages(deps, caller, input)
    return answer(heard, { replayed })
  },
})

export const handler = lambda(fromMessages)
