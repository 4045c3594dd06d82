import { Memory } from '@twofold/core/memories/memory.ts'
import * as z from 'zod-own'

/** A version in a history. */
export const HistoryItem = z.object({
  version: z.number(),
  action: z.string(),
  reason: z.string().nullable(),
  actor: z.string(),
  onBehalfOf: z.string().nullable(),
  requestId: z.string().nullable(),
  at: z.string(),
  squashed: z.number().meta({ description: 'How many versions before this one were squashed, as the policy of the namespace says.' }),
  memory: Memory,
})
