import * as z from 'zod'
import { Confidence, Entity, EntityInput, EntityName, Relation, RelationInput } from '../entities/entity.ts'
import { Name, Namespace } from '../namespaces/namespace.ts'
import { Details } from './details.ts'

export const TYPES = ['semantic', 'episodic', 'procedural'] as const
export const MAX_CONTENT = 100_000

const text = (most: number) => z.string().min(1).max(most)
/** Characters, not UTF-16 units: an emoji is one. */
export const Content = z
  .string()
  .min(1)
  .refine((t) => t.length <= MAX_CONTENT || [...t].length <= MAX_CONTENT, `must have at most ${MAX_CONTENT} characters`)
  .meta({ maxLength: MAX_CONTENT })
const inRange = (year: number) => year >= 1 && year <= 9999
/** A moment as the caller wrote it, with any offset; kept in UTC with milliseconds. */
export const Moment = z.iso
  .datetime({ offset: true, abort: true, error: 'must be an ISO 8601 time with a zone, such as 2026-01-31T12:00:00Z' })
  .refine((t) => inRange(new Date(t).getUTCFullYear()), 'must be in the years 1 to 9999, in UTC')
  .transform((t) => new Date(t).toISOString())
/** A session, conversation or task id: the caller's own string. */
export const Id = z.string().regex(/^[^/\p{Cc}\p{Cs}]{1,255}$/u, 'must be 1 to 255 characters without "/" or control characters')

export const MemoryType = z.enum(TYPES)
export const Kind = z
  .string()
  .regex(/^[a-z_]{1,40}$/, 'must be 1 to 40 lower-case letters or underscores, such as note, decision or preference')
export const Key = z.string().regex(/^[^/\p{Cc}\p{Cs}]{1,255}$/u, 'must be 1 to 255 characters without "/" or control characters')
/** In small letters, as Postgres answers it, so that what is compared here is compared as it is stored. */
export const MemoryId = z.uuid('must be a UUID').toLowerCase()

export const Version = z.int().min(1).max(2_147_483_647)

export const Memory = z
  .object({
    id: z.string(),
    namespace: z.string(),
    key: z.string().nullable(),
    type: MemoryType,
    kind: z.string(),
    content: z.string(),
    value: z.json(),
    summary: z.string().nullable(),
    importance: z.number(),
    metadata: z.record(z.string(), z.json()),
    tags: z.array(z.string()),
    entities: z.array(Entity),
    relations: z.array(Relation),
    conversationId: z.string().nullable(),
    sessionId: z.string().nullable(),
    taskId: z.string().nullable(),
    speaker: z.string().nullable(),
    occurredAt: z.string(),
    expiresAt: z.string().nullable(),
    version: z.number(),
    createdBy: z.string(),
    updatedBy: z.string(),
    createdAt: z.string(),
    updatedAt: z.string(),
    deletedAt: z.string().nullable(),
    supersededBy: z
      .string()
      .optional()
      .meta({ description: 'Of a deleted one: the memory that took its place. Restoring it takes that back.' }),
    ...Details.shape,
  })
  .meta({ id: 'Memory' })
export type Memory = z.infer<typeof Memory>

const State = z.enum(['written', 'owed', 'failed', 'disabled'])
const StoreState = z.object({ state: State, version: z.number().nullable(), at: z.string().nullable() })

export const Receipt = z
  .object({
    vectorWriteSuccess: z.boolean(),
    graphWriteSuccess: z.boolean(),
    stores: z.object({ vector: StoreState, graph: StoreState, cache: z.object({ state: State }) }),
    owed: z.array(z.enum(['embedding', 'entities', 'graph', 'cache'])),
  })
  .meta({ id: 'Receipt', description: 'Where a write stands in each store.' })
export type Receipt = z.infer<typeof Receipt>

export const Remembered = z.object({ memory: Memory, receipt: Receipt })
export type Remembered = z.infer<typeof Remembered>

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
  entities: z.array(EntityInput).max(200).optional(),
  relations: z.array(RelationInput).max(200).optional(),
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

/** Where a request's memories belong: a namespace, or `userId` for `user:<userId>`. */
export const place = { namespace: Namespace.optional(), userId: Name.optional() }
/** For requests that may name one place, or none. */
export const onePlace = (input: { namespace?: string; namespacePrefix?: string; userId?: string }, context: z.RefinementCtx): void => {
  const named = (['namespace', 'namespacePrefix', 'userId'] as const).filter((name) => input[name] !== undefined)
  if (named.length > 1)
    context.addIssue({ code: 'custom', path: [named[1] as string], message: `cannot be given together with ${named[0]}` })
}
export const placeOf = (input: { namespace?: string; userId?: string }): string | null =>
  input.namespace ?? (input.userId === undefined ? null : `user:${input.userId}`)

const rememberable = z.strictObject({
  ...place,
  id: MemoryId.optional(),
  ...writable,
  onGraphFailure: z.enum(['queue', 'rollback']).optional().meta({
    description:
      'When the graph does not take it in time. queue: it is kept, and owed to the graph. rollback: refused with 503, and nothing of it is left; until then nobody reads it. For one new memory at a time: not in a batch.',
  }),
})

/** What a request that makes a memory needs, whatever the memory is made from. */
export const makesMemory = (
  input: Pick<z.infer<typeof rememberable>, 'namespace' | 'userId' | 'onGraphFailure' | 'waitFor'>,
  context: z.RefinementCtx,
): void => {
  const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
  if (input.namespace === undefined && input.userId === undefined) issue('namespace', 'is required, or userId in its place')
  if (input.namespace !== undefined && input.userId !== undefined) issue('userId', 'cannot be given together with namespace')
  if (input.onGraphFailure === 'rollback' && input.waitFor === 'vector') issue('waitFor', 'must be graph when onGraphFailure is rollback')
}

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
/** Text that is not blank. */
export const line = (most: number) => text(most).regex(/\S/, 'must not be blank')

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
