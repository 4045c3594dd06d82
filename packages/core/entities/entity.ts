import { createHash } from 'node:crypto'
import { invalid } from '@twofold/operation/refusal.ts'
import * as z from 'zod'

/** Types with a meaning of their own; a caller may send another that matches `EntityType`. */
export const ENTITY_TYPES = ['person', 'organization', 'place', 'project', 'topic', 'product', 'event', 'date', 'other'] as const
export const MAX_ENTITIES = 200
export const MAX_RELATIONS = 200

const text = (max: number) =>
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

const about = z.boolean().optional().meta({ description: 'The memory is about it; more than a mention.' })

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

/** Entities and relations of one memory; every end of a relation is among the entities. */
export interface Mentions {
  entities: Entity[]
  relations: Relation[]
}

/** What Postgres can index beside the longest subject. */
const MAX_NORMALIZED_BYTES = 1000

/**
 * The name under which spellings of one thing meet: NFKC, lower case, runs of spaces and punctuation as one `_`,
 * none at the ends. Letters of every script stay. Never empty for a value that is not blank. At most 1,000 bytes: a
 * longer one ends in a hash of the whole.
 */
export function normalize(value: string): string {
  const lower = value.normalize('NFKC').toLowerCase().normalize('NFC')
  const bare = lower.replace(/[^\p{L}\p{N}\p{M}]+/gu, '_').replace(/^_|_$/g, '')
  // `C++` and `C#` are not `C`; what has no letter at all (🎉) is named by its marks.
  const tail = /[+#]+$/.exec(lower)?.[0] ?? ''
  const name = bare ? bare + tail : lower.replace(/\s+/gu, '_') || value
  if (Buffer.byteLength(name) <= MAX_NORMALIZED_BYTES) return name
  return `${[...name].slice(0, 200).join('')}_${createHash('sha256').update(name).digest('hex').slice(0, 32)}`
}

const keyOf = ({ type, value }: EntityName): string => `${type}\n${normalize(value)}`

const edgeOf = ({ from, type, to }: Relation): string => `${keyOf(from)}\n${type}\n${keyOf(to)}`

/** The first of each name, in the order given. */
function unique<T>(items: readonly T[], name: (item: T) => string): T[] {
  const seen = new Set<string>()
  return items.filter((item) => !seen.has(name(item)) && seen.add(name(item)))
}

/**
 * What a request says: fills in what it left out, joins doubles, and makes every end of a relation one of the entities.
 * A bare end is the first entity of that name, else a new one of type `other`. Refuses `invalid` when the ends make the
 * entities more than `MAX_ENTITIES`.
 */
export function mentionsOf(entities: readonly EntityInput[] = [], relations: readonly RelationInput[] = []): Mentions {
  const given = unique(entities.map(complete), keyOf)
  const byName = firstByName(given)
  const end = (named: EntityName | string): EntityName => {
    if (typeof named !== 'string') return named
    const { type, value } = byName.get(normalize(named)) ?? { type: 'other', value: named }
    return { type, value }
  }
  const edges = relations.map(({ from, type, to, confidence = 1 }) => ({ from: end(from), type, to: end(to), confidence }))
  const ends = edges.flatMap(({ from, to, confidence }) => [from, to].map((named) => complete({ ...named, confidence })))
  const all = unique([...given, ...ends], keyOf)
  if (all.length > MAX_ENTITIES) {
    throw invalid([{ path: 'relations', message: `must not bring the entities of the memory above ${MAX_ENTITIES}` }])
  }
  return { entities: all, relations: unique(edges, edgeOf) }
}

const complete = ({ type = 'other', value, confidence = 1, source = 'caller', about }: EntityInput): Entity => ({
  type,
  value,
  normalized: normalize(value),
  confidence,
  source,
  ...(about ? { about } : {}),
})

const firstByName = (entities: readonly Entity[]) => new Map(entities.toReversed().map((entity) => [entity.normalized, entity]))

/**
 * What the caller said and what a model found besides. A name that the caller typed keeps his type: a found organization
 * Apollo is his project Apollo. What goes beyond the caps is left out, found things first.
 */
export function merge(mine: Mentions, found: Mentions): Mentions {
  const byName = firstByName(mine.entities)
  const entities = unique([...mine.entities, ...found.entities.filter((e) => !byName.has(e.normalized))], keyOf).slice(0, MAX_ENTITIES)
  const known = new Set(entities.map(keyOf))
  const end = ({ type, value }: EntityName): EntityName => ({ type: byName.get(normalize(value))?.type ?? type, value })
  const edges = found.relations
    .map((relation) => ({ ...relation, from: end(relation.from), to: end(relation.to) }))
    .filter(({ from, to }) => known.has(keyOf(from)) && known.has(keyOf(to)) && keyOf(from) !== keyOf(to))
  return { entities, relations: unique([...mine.relations, ...edges], edgeOf).slice(0, MAX_RELATIONS) }
}
