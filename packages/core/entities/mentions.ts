import { createHash } from 'node:crypto'
import { invalid } from '@twofold/operation/refusal.ts'
import type { Entity, EntityName, Relation } from './entity.ts'
import type { EntityInput, RelationInput } from './input.ts'

export const MAX_ENTITIES = 200
export const MAX_RELATIONS = 200

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
