import { Cleaned, cleanUp } from '@twofold/core/conversations/cleanup.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const cleanup = operation({
  name: 'conversations.cleanup',
  method: 'post',
  path: '/v1/conversations/cleanup',
  scope: 'sessions:write',
  summary: 'Remove conversations that have expired, or in which nothing was said for so long.',
  input: z.strictObject({ maxAgeHours: z.number().positive().max(87_600).optional() }),
  output: Cleaned,
  handle: async (deps, input, caller) => {
    const { answer: cleaned, replayed } = await cleanUp(deps, caller, input)
    return answer(cleaned, { replayed })
  },
})

export const handler = lambda(cleanup)
