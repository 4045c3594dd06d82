import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import { normalize } from '../entities/mentions.ts'
import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import { containing, namedIn } from './knowledge.sql.ts'
import { type Knowledge, Name, place, show, whereIn } from './knowledge.ts'

export const ReadGraphInput = z.strictObject(place)
export const SearchNodesInput = z.strictObject({
  ...place,
  query: z.string().max(1000).describe('The search query to match against entity names, types, and observation content'),
})
export const OpenNodesInput = z.strictObject({ ...place, names: z.array(Name).max(500).describe('An array of entity names to retrieve') })

/** All that is known in the namespace; above a thousand entities the oldest, and the answer says so. */
export const readGraph = (deps: Deps, caller: Caller, { namespace }: z.output<typeof ReadGraphInput>): Promise<Knowledge> =>
  show(deps, caller, namespace, sql`true`)

/** What has the text in its name, its type or an observation, and every relation that it has. */
export const searchNodes = (deps: Deps, caller: Caller, { namespace, query }: z.output<typeof SearchNodesInput>): Promise<Knowledge> =>
  show(deps, caller, namespace, containing(query, whereIn(deps, namespace)))

/** What has one of these names, and every relation that it has. */
export const openNodes = async (deps: Deps, caller: Caller, { namespace, names }: z.output<typeof OpenNodesInput>): Promise<Knowledge> =>
  names.length === 0
    ? { entities: [], relations: [] }
    : show(deps, caller, namespace, namedIn(names.map(normalize), whereIn(deps, namespace)))
