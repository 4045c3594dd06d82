import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import { createEntity } from '../entities/create.ts'
import { linkNodes } from '../entities/link.ts'
import { normalize } from '../entities/mentions.ts'
import { subjectOf } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { as, fewEnough, find, KnownEntity, KnownRelation, MOST_ENTITIES, needing, place, typeOf } from './knowledge.ts'
import { observe } from './observe.ts'

export const CreateEntitiesInput = z
  .strictObject({ ...place, entities: z.array(KnownEntity.strict()).max(MOST_ENTITIES) })
  .superRefine(({ entities }, context) =>
    fewEnough(
      entities.map((each) => each.observations),
      'entities',
      context,
    ),
  )
export const EntitiesMade = z.object({ entities: z.array(KnownEntity) })

export const CreateRelationsInput = z.strictObject({ ...place, relations: z.array(KnownRelation.strict()).max(200) })
export const RelationsMade = z.object({ relations: z.array(KnownRelation) })

const unique = <T>(items: readonly T[], name: (item: T) => string): T[] =>
  [...new Map(items.toReversed().map((i) => [name(i), i])).values()].reverse()

/**
 * Makes entities with what is observed of them, and answers those that are new. One that a memory only mentions counts as new,
 * and keeps the type it was found by. Broken off in the middle it goes on where it stopped when it is asked again: what is
 * observed is stored first, and stored once.
 */
export async function createKnowledge(
  deps: Deps,
  caller: Caller,
  { namespace, entities }: z.output<typeof CreateEntitiesInput>,
): Promise<z.infer<typeof EntitiesMade>> {
  await needing(deps, caller, namespace, 'graph:write', 'memories:write')
  const firsts = unique(entities, ({ name }) => normalize(name))
  const known = await find(
    deps,
    caller,
    namespace,
    firsts.map(({ name }) => name),
  )
  const fresh = firsts.flatMap(({ name, entityType, observations }) => {
    const row = known.get(normalize(name))
    if (row?.explicit) return []
    const contents = [...new Set(observations)]
    return [
      {
        type: row?.type ?? typeOf(entityType),
        value: row?.value ?? name,
        contents,
        missing: contents.filter((c) => !row?.observations.includes(c)),
      },
    ]
  })
  if (fresh.length === 0) return { entities: [] }
  const subject = subjectOf(namespace)
  await observe(
    deps,
    caller,
    namespace,
    fresh.map(({ type, value, missing }) => ({ entity: { type, value }, contents: missing })),
  )
  await createEntity(deps, as(caller, 'graph:write'), { entities: fresh.map(({ type, value }) => ({ type, value, subject })) })
  return { entities: fresh.map(({ type, value, contents }) => ({ name: value, entityType: type, observations: contents })) }
}

/** Makes relations and answers those that are new. An end that nobody has made yet becomes an entity of type `other`. */
export async function createRelations(
  deps: Deps,
  caller: Caller,
  { namespace, relations }: z.output<typeof CreateRelationsInput>,
): Promise<z.infer<typeof RelationsMade>> {
  if (relations.length === 0) return { relations: [] }
  const known = await find(
    deps,
    caller,
    namespace,
    relations.flatMap(({ from, to }) => [from, to]),
  )
  const subject = subjectOf(namespace)
  const end = (name: string) => {
    const { type, value } = known.get(normalize(name)) ?? { type: 'other', value: name }
    return { type, value, subject }
  }
  const links = unique(
    relations.map(({ from, to, relationType }) => ({ from: end(from), type: relationType, to: end(to) })),
    ({ from, type, to }) => JSON.stringify([from.type, normalize(from.value), type, to.type, normalize(to.value)]),
  )
  const { answer } = await linkNodes(deps, as(caller, 'graph:write'), { links })
  return {
    relations: answer.links
      .filter((link) => link.created)
      .map(({ from, type, to }) => ({ from: from.value, to: to.value, relationType: type })),
  }
}
