import * as z from 'zod-own'
import { Entity, Relation } from '../entities/entity.ts'
import { MemoryType } from './fields.ts'

/** What decisions, commitments and patterns have beside the fields of every memory, as it is answered with them. */
export const Details = z.object({
  title: z.string().optional(),
  rationale: z.string().optional(),
  alternatives: z.array(z.string()).optional(),
  owner: z.string().optional(),
  dueAt: z.string().nullish(),
  status: z.enum(['open', 'completed']).optional(),
  outcome: z.string().nullish(),
  completedAt: z.string().nullish(),
  name: z.string().optional(),
  description: z.string().optional(),
  confidence: z.number().nullish(),
  occurrences: z.number().optional(),
})
export type Details = z.infer<typeof Details>

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
