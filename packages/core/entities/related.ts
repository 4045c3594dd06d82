import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import { Edge, EntityNode, Freshness, hops } from '../graph/node.ts'
import { readGeneration } from '../graph/query.sql.ts'
import { walk } from '../graph/walk.ts'
import { MemoryId } from '../memories/fields.ts'
import type { InSession } from '../memories/remember.ts'
import type { Deps } from '../ports.ts'
import { noEntity, selectEntity } from './read.ts'

export const RelatedQuery = z.strictObject({
  id: MemoryId,
  hops: z.int().min(1).max(4).default(1),
  via: z.array(z.string().min(1).max(100)).max(50).optional().meta({
    description: 'Follow only these: types of relations such as works_at, or MENTIONS, over memories. Without it every relation.',
  }),
  direction: z.enum(['out', 'in', 'both']).default('both'),
  limit: z.int().min(1).max(500).default(50),
})
export type RelatedQuery = z.infer<typeof RelatedQuery>

export const Related = z.object({
  items: z.array(EntityNode.extend({ hops })),
  edges: z.array(Edge).meta({ description: 'How they hang together; the entity itself is one of the ends.' }),
  cut: z.boolean().meta({ description: 'True when there was more within reach than `limit`.' }),
  freshness: Freshness,
})
export type Related = z.infer<typeof Related>

/**
 * The entities that relations lead to from this one, nearest first, as the graph knows them and the rows show them now.
 * Refuses `not_found`, and `unavailable` while the graph is off or out of reach.
 */
export async function findRelated(
  deps: Deps,
  caller: Caller,
  { id, hops, via = ['RELATES_TO'], direction, limit }: RelatedQuery,
  { session }: InSession = {},
): Promise<Related> {
  if (!deps.settings.graphEnabled) throw new Refusal('unavailable', 'The graph is switched off in this deployment.')
  const at = deps.now()
  const { authorized, rows } = await deps.db.asCaller(caller, null, [selectEntity(id, at.toISOString()), readGeneration])
  const [start, [state]] = rows
  if (start.length === 0) throw noEntity()
  const { nodes, ...walked } = await walk(deps, caller, {
    ...{ start, authorized, ranges: null, generations: state?.generations ?? [], at, session },
    ...{ via, direction, hops, limit: limit + 1 },
  })
  return { items: nodes.filter((node) => node.kind === 'entity').filter((node) => node.hops > 0), ...walked }
}
