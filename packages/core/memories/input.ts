import * as z from 'zod-own'
import { Confidence, EntityName } from '../entities/entity.ts'
import { EntityInput, RelationInput } from '../entities/input.ts'
import { MAX_ENTITIES, MAX_RELATIONS } from '../entities/mentions.ts'
import { Content, Id, Key, Kind, line, MemoryId, MemoryType, Moment, makesMemory, place, text } from './fields.ts'

/** What a caller may set, and set again. */
const writable = {
  content: Content.optional(),
  value: z.json().optional().meta({ description: 'Any JSON. Without content, the text to index is made from it.' }),
  key: Key.nullish(),
  type: MemoryType.optional(),
  kind: Kind.optional(),
  importance: z.number().min(0).max(10).optional(),
  summary: text(10_000).nullish(),
  metadata: z.record(z.string().max(255), z.json()).optional(),
  tags: z.array(text(100)).max(100).optional(),
  entities: z.array(EntityInput).max(MAX_ENTITIES).optional(),
  relations: z.array(RelationInput).max(MAX_RELATIONS).optional(),
  extractEntities: z.boolean().optional().meta({ description: 'Find entities in the content. On unless false.' }),
  embedding: z
    .array(z.number())
    .min(1)
    .max(8192)
    .refine((v) => v.some((x) => x !== 0), 'must not be all zeros')
    .optional()
    .meta({ description: 'Your own vector for the content, of the dimension that the embedding model has.' }),
  conversationId: Id.nullish(),
  sessionId: Id.nullish(),
  taskId: Id.nullish(),
  speaker: text(255).nullish(),
  occurredAt: Moment.optional(),
  expiresAt: Moment.nullish(),
  waitFor: z.enum(['vector', 'graph']).optional(),
}

const rememberable = z.strictObject({
  ...place,
  id: MemoryId.optional(),
  ...writable,
  onGraphFailure: z.enum(['queue', 'rollback']).optional().meta({
    description:
      'When the graph does not take it in time. queue: it is kept, and owed to the graph. rollback: refused with 503, and nothing of it is left; until then nobody reads it. For one new memory at a time: not in a batch.',
  }),
})

export const RememberInput = rememberable
  .superRefine((input, context) => {
    makesMemory(input, context)
    if (input.content === undefined && (input.value === undefined || input.value === null))
      context.addIssue({ code: 'custom', path: ['content'], message: 'is required, or value in its place' })
  })
  .meta({ id: 'RememberInput' })
export type RememberInput = z.infer<typeof RememberInput>

/** The same for kinds with fields of their own: kind and content are made from these. */
export const RememberKind = rememberable.omit({ content: true, value: true, kind: true }).extend({
  about: z.array(EntityName).max(50).optional().meta({ description: 'What it is about: entities, as ABOUT edges of the graph.' }),
})

/** What a caller may set, and set again, of kinds with fields of their own. */
export const decision = { title: line(500), rationale: line(20_000), alternatives: z.array(line(1000)).max(50).optional() }
export const commitment = { title: line(500), owner: line(255), dueAt: Moment.nullish() }
export const pattern = {
  name: line(500),
  description: line(20_000),
  confidence: Confidence.nullish(),
  occurrences: z.int().min(1).max(2_147_483_647).optional().meta({ description: 'How often it was seen; 1 unless told.' }),
}
const changeable = { ...writable, ...z.object({ ...decision, ...commitment, ...pattern }).partial().shape }

export const Changes = z
  .strictObject(changeable)
  .refine((changes) => Object.keys(changes).some((field) => field in changeable && field !== 'waitFor'), {
    path: [],
    message: 'names nothing to change',
  })
export type Changes = z.infer<typeof Changes>
