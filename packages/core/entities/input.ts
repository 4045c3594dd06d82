import * as z from 'zod-own'
import { about, Confidence, EntityName, EntityType, EntityValue, RelationType, text } from './entity.ts'

/** An entity in a request, so that what was answered can be sent back: `normalized` is accepted and computed anew. */
export const EntityInput = z.strictObject({
  type: EntityType.optional(),
  value: EntityValue,
  normalized: z.string().max(2000).optional(),
  confidence: Confidence.optional(),
  source: text(100).optional(),
  about,
})
export type EntityInput = z.infer<typeof EntityInput>

/** A relation in a request; an end may also be the bare value of one of the memory's entities (else it becomes one of type `other`). */
export const RelationInput = z.strictObject({
  from: z.union([EntityName, EntityValue]),
  type: RelationType,
  to: z.union([EntityName, EntityValue]),
  confidence: Confidence.optional(),
})
export type RelationInput = z.infer<typeof RelationInput>
