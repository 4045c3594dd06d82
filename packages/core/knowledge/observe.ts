import { createHash } from 'node:crypto'
import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import { normalize } from '../entities/mentions.ts'
import { type Item, rememberBatch } from '../memories/remember-batch.ts'
import type { Deps } from '../ports.ts'
import { as, fewEnough, find, Name, Observation, place } from './knowledge.ts'

export const ObservationsInput = z
  .strictObject({
    ...place,
    observations: z
      .array(
        z.strictObject({
          entityName: Name.describe('The name of the entity to add the observations to'),
          contents: z.array(Observation).describe('An array of observation contents to add'),
        }),
      )
      .max(200),
  })
  .superRefine(({ observations }, context) =>
    fewEnough(
      observations.map((each) => each.contents),
      'observations',
      context,
    ),
  )

export const ObservationsAdded = z.object({
  results: z.array(z.object({ entityName: z.string(), addedObservations: z.array(z.string()) })),
})

/**
 * Adds to what is known of entities; what is known of one already is not added again. Refuses `not_found` for a name that
 * nobody has, before anything is stored.
 */
export async function addObservations(
  deps: Deps,
  caller: Caller,
  { namespace, observations }: z.output<typeof ObservationsInput>,
): Promise<z.infer<typeof ObservationsAdded>> {
  const known = await find(
    deps,
    caller,
    namespace,
    observations.map(({ entityName }) => entityName),
  )
  const told = observations.map(({ entityName, contents }) => {
    const entity = known.get(normalize(entityName))
    if (!entity) throw new Refusal('not_found', `Entity with name ${entityName} not found`)
    return { entity, contents: contents.filter((content) => !entity.observations.includes(content)) }
  })
  const added = await observe(deps, caller, namespace, told)
  return { results: observations.map(({ entityName }, i) => ({ entityName, addedObservations: added[i] as string[] })) }
}

interface Told {
  entity: { type: string; value: string }
  contents: readonly string[]
}

/**
 * Each content a memory about its entity, and about nothing else. Its key says of whom it says what, so that of two who say
 * the same at once one is heard. Answers what was new, entity by entity.
 */
export async function observe(deps: Deps, caller: Caller, namespace: string, told: readonly Told[]): Promise<string[][]> {
  const each = told.flatMap(({ entity, contents }, of) => contents.map((content) => ({ of, key: keyOf(entity, content), entity, content })))
  const wanted = [...new Map(each.map((one) => [one.key, one])).values()]
  const items = wanted.map(({ key, entity: { type, value }, content }): Item => {
    const entities = [{ type, value, about: true }]
    return { ok: true, input: { namespace, key, kind: 'observation', content, entities, extractEntities: false } }
  })
  const { items: outcomes } = items.length === 0 ? { items: [] } : await rememberBatch(deps, as(caller, 'memories:write'), items, false)
  const added = told.map((): string[] => [])
  outcomes.forEach((outcome, i) => {
    const { of, content } = wanted[i] as (typeof wanted)[number]
    if (outcome.ok) added[of]?.push(content)
    else if (outcome.refusal.code !== 'conflict') throw outcome.refusal
  })
  return added
}

const keyOf = ({ type, value }: Told['entity'], content: string): string =>
  `observation:${createHash('sha256')
    .update(`${type}\n${normalize(value)}\n${content}`)
    .digest('hex')}`
