import * as z from 'zod-own'
import { Content, Id, Moment, makesMemory, place } from '../memories/fields.ts'
import { Memory, Receipt } from '../memories/memory.ts'

const Role = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}]{1,100}$/u, 'must be 1 to 100 characters without control characters, such as user or assistant')

export const MessagesInput = z
  .strictObject({
    ...place,
    messages: z
      .array(
        z.strictObject({
          role: Role,
          name: z.string().min(1).max(255).regex(/\S/, 'must not be blank').optional(),
          content: Content,
          createdAt: Moment.optional(),
        }),
      )
      .min(1)
      .max(500),
    infer: z.boolean().optional().meta({
      description:
        'Let the language model find facts and compare them with what is known. On where there is a model; off: one memory a message.',
    }),
    conversationId: Id.optional(),
    sessionId: Id.optional(),
    taskId: Id.optional(),
  })
  .superRefine(makesMemory)
export type MessagesInput = z.infer<typeof MessagesInput>

export const OUTCOMES = ['added', 'updated', 'superseded', 'unchanged'] as const

export const MessagesAnswer = z.object({
  memories: z.array(Memory).meta({ description: 'What is new, or has a new version.' }),
  superseded: z.array(z.string()).meta({ description: 'Memories that are not true any more; each points to what took its place.' }),
  unchanged: z.array(z.string()).meta({ description: 'Memories that said it already.' }),
  items: z.array(
    z.object({
      message: z.number().meta({ description: 'The place of the message in the request, from 0.' }),
      outcome: z.enum(OUTCOMES),
      id: z.string().nullable().meta({ description: 'The memory; null: there was nothing to remember.' }),
      supersedes: z.string().optional(),
      receipt: Receipt.optional(),
    }),
  ),
  degraded: z.array(z.string()).meta({
    description: '`language_model`: it was asked for and did not answer usably, so these messages were kept as they are, one memory each.',
  }),
})
export type MessagesAnswer = z.infer<typeof MessagesAnswer>

/** The answer of these items and memories. */
export function answerOf(items: MessagesAnswer['items'], memories: Memory[], degraded: string[]): MessagesAnswer {
  const ids = (list: (string | null | undefined)[]) => [...new Set(list)].filter((id) => id != null)
  return {
    memories,
    superseded: ids(items.map(({ supersedes }) => supersedes)),
    unchanged: ids(items.map(({ outcome, id }) => (outcome === 'unchanged' ? id : null))),
    items,
    degraded,
  }
}
