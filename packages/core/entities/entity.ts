import * as z from 'zod-own'

/** Types with a meaning of their own; a caller may send another that matches `EntityType`. */
export const ENTITY_TYPES = ['person', 'organization', 'place', 'project', 'topic', 'product', 'event', 'date', 'other'] as const

export const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not contain control characters or lone surrogates')
    .regex(/\S/, 'must not be blank')

export const EntityType = z.string().regex(/^[a-z_]{1,40}$/, `must be 1 to 40 of a-z and _, such as ${ENTITY_TYPES.join(', ')}`)
export const EntityValue = text(500)
/** The caller's own word for a relation: `works_at`, `married to`. */
export const RelationType = text(100)
export const Confidence = z.number().min(0).max(1)

/** What names an entity inside a subject. */
export const EntityName = z.strictObject({ type: EntityType, value: EntityValue })
export type EntityName = z.infer<typeof EntityName>

export const about = z.boolean().optional().meta({ description: 'The memory is about it; more than a mention.' })

/** A typed thing a memory mentions, as it is answered. `normalized` names it: two spellings of one name are one entity. */
export const Entity = z
  .strictObject({ type: EntityType, value: EntityValue, normalized: z.string(), confidence: Confidence, source: z.string(), about })
  .meta({ id: 'Entity' })
export type Entity = z.infer<typeof Entity>

/** A typed edge between two entities, as it is answered. */
export const Relation = z
  .strictObject({ from: EntityName, type: RelationType, to: EntityName, confidence: Confidence })
  .meta({ id: 'Relation' })
export type Relation = z.infer<typeof Relation>
