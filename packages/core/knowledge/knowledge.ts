import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import { EntityValue, RelationType } from '../entities/entity.ts'
import { normalize } from '../entities/mentions.ts'
import { introduce } from '../keys/introduce.ts'
import { exactly, Namespace, subjectOf } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import type { Statement } from '../sql.ts'
import { type At, type KnownRow, namedIn, selectKnown, selectRelations } from './knowledge.sql.ts'

/**
 * The knowledge graph of the reference memory server, over what this house keeps: an entity of it is an entity of the
 * namespace's subject, an observation is a memory of the namespace that mentions it, a relation is a link, or what a memory
 * of the namespace says of two entities. A name is one name in whatever spelling and type.
 */

/** Where knowledge is kept when neither the connection nor the key says. */
export const place = { namespace: Namespace.default('app:mcp') }

export const MOST_ENTITIES = 200
export const MOST_OBSERVATIONS = 500

export const Name = EntityValue
export const Observation = z.string().min(1).max(100_000)

export const KnownEntity = z.object({
  name: Name.describe('The name of the entity'),
  entityType: z.string().min(1).max(200).describe('The type of the entity'),
  observations: z.array(Observation).max(MOST_OBSERVATIONS).describe('An array of observation contents associated with the entity'),
})
export type KnownEntity = z.infer<typeof KnownEntity>

export const KnownRelation = z.object({
  from: Name.describe('The name of the entity where the relation starts'),
  to: Name.describe('The name of the entity where the relation ends'),
  relationType: RelationType.describe('The type of the relation'),
})
export type KnownRelation = z.infer<typeof KnownRelation>

export const Knowledge = z.object({
  entities: z.array(KnownEntity),
  relations: z.array(KnownRelation),
  truncated: z.literal(true).optional().describe('There is more than is shown: search for it, or open it by name'),
})
export type Knowledge = z.infer<typeof Knowledge>

/** No more observations than one request can store, wherever in it they stand. */
export const fewEnough = (lists: readonly (readonly string[])[], path: string, context: z.RefinementCtx): void => {
  const sum = lists.reduce((all, list) => all + list.length, 0)
  if (sum > MOST_OBSERVATIONS)
    context.addIssue({ code: 'custom', path: [path], message: `must have at most ${MOST_OBSERVATIONS} observations together` })
}

/** As the type of an entity is written here: `Software Project` is `software_project`, and what has no letter of a to z is `other`. */
export const typeOf = (entityType: string): string =>
  entityType
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z]+/g, '_')
    .slice(0, 40)
    .replace(/^_+|_+$/g, '') || 'other'

/** For one of the statement lists that a request of this sort is made of: each needs another scope, and none is a retry of itself. */
export const as = (caller: Caller, scope: 'memories:read' | 'memories:write' | 'graph:write'): Caller => {
  const { idempotency: _, ...rest } = caller
  return { ...rest, scope, idempotency: null, requestHash: Buffer.alloc(0) }
}

/** Refuses `forbidden` before anything is done of what takes several scopes. */
export async function needing(deps: Deps, caller: Caller, namespace: string, ...needed: string[]): Promise<void> {
  const { scopes } = await introduce(deps, caller, exactly(namespace))
  const lacking = needed.find((scope) => !scopes.includes(scope) && !scopes.includes('admin'))
  if (lacking) throw new Refusal('forbidden', `The key lacks the scope ${lacking}.`, { scope: lacking })
}

/** The entities of these names, by `normalize(name)`. Of several of one name that which was made for its own sake, or is older. */
export async function find(deps: Deps, caller: Caller, namespace: string, names: readonly string[]): Promise<Map<string, KnownRow>> {
  if (names.length === 0) return new Map()
  const at = whereIn(deps, namespace)
  const { rows } = await deps.db.asCaller(caller, exactly(namespace), [
    selectKnown(at, namedIn(names.map(normalize), at), names.length * 20),
  ])
  const best = rows[0].toSorted((a, b) => Number(a.explicit) - Number(b.explicit) || (a.id < b.id ? 1 : -1))
  return new Map(best.flatMap((row) => row.names.map((name): [string, KnownRow] => [name.normalized, row])))
}

export const whereIn = (deps: Deps, namespace: string): At => ({ namespace, subject: subjectOf(namespace), now: deps.now().toISOString() })

/** Entities shown at once, and edges between them. */
const MOST_SHOWN = 1000
const MOST_EDGES = 5000

/** What `where` (over `e`) picks of the namespace's entities, with their observations and every relation that one of them has. */
export async function show(deps: Deps, caller: Caller, namespace: string, where: Statement): Promise<Knowledge> {
  const at = whereIn(deps, namespace)
  const { rows } = await deps.db.asCaller(caller, exactly(namespace), [selectKnown(at, where, MOST_SHOWN + 1)])
  const shown = rows[0].slice(0, MOST_SHOWN)
  const ids = shown.map(({ id }) => id)
  const edges =
    ids.length === 0 ? [] : (await deps.db.asCaller(caller, exactly(namespace), [selectRelations(at, ids, MOST_EDGES + 1)])).rows[0]
  const cut = rows[0].length > MOST_SHOWN || edges.length > MOST_EDGES || shown.some(({ more }) => more)
  return {
    entities: shown.map(({ value, type, observations }) => ({ name: value, entityType: type, observations })),
    relations: edges.slice(0, MOST_EDGES),
    ...(cut && { truncated: true as const }),
  }
}
