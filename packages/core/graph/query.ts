import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { EntityType } from '../entities/entity.ts'
import { normalize } from '../entities/mentions.ts'
import { introduce } from '../keys/introduce.ts'
import { MemoryId } from '../memories/fields.ts'
import type { InSession } from '../memories/remember.ts'
import { below, NamespacePrefix, subjectsWithin } from '../namespaces/namespace.ts'
import type { Deps, Range } from '../ports.ts'
import { Edge, Freshness, Node } from './node.ts'
import { readGeneration, startEntities, startMemory } from './query.sql.ts'
import { walk } from './walk.ts'

const Start = z
  .strictObject({
    type: EntityType.optional(),
    value: z.string().min(1).max(500).regex(/\S/, 'must not be blank').optional(),
    memoryId: MemoryId.optional(),
  })
  .refine(
    (s) => (s.memoryId !== undefined) !== (s.type !== undefined || s.value !== undefined),
    'must name memoryId, or type and value of an entity, or one of these',
  )

export const GraphQuery = z.strictObject({
  start: Start,
  via: z
    .array(z.string().min(1).max(100))
    .max(50)
    .optional()
    .meta({ description: 'Follow only these: MENTIONS, ABOUT, RELATES_TO, or types of relations such as works_at.' }),
  direction: z.enum(['out', 'in', 'both']).default('both'),
  hops: z.int().min(1).max(4).default(1),
  limit: z.int().min(1).max(500).default(50).meta({ description: 'Nodes in the answer, the start among them, nearest first.' }),
  namespacePrefix: NamespacePrefix.optional().meta({ description: 'Where to look; without it everywhere the key may see.' }),
  maxStalenessMs,
})
export type GraphQuery = z.infer<typeof GraphQuery>

export const GraphAnswer = z.object({
  nodes: z.array(Node),
  edges: z.array(Edge),
  cut: z.boolean().meta({ description: 'True when there was more within reach than `limit`.' }),
  freshness: Freshness,
})
export type GraphAnswer = z.infer<typeof GraphAnswer>

/**
 * What hangs together with a memory or an entity, up to `hops` edges away, as `walk` finds and shows it. A name may
 * stand for one entity in each of several subjects.
 * Refuses `not_found` for a memory the key does not see, `unavailable` while the graph is off or out of reach.
 */
export async function queryGraph(deps: Deps, caller: Caller, input: GraphQuery, { session }: InSession = {}): Promise<GraphAnswer> {
  if (!deps.settings.graphEnabled) throw new Refusal('unavailable', 'The graph is switched off in this deployment.')
  const at = deps.now()
  const now = at.toISOString()
  const ranges = input.namespacePrefix === undefined ? null : below(input.namespacePrefix)
  const subjects = subjectsWithin(
    input.namespacePrefix === undefined ? (await introduce(deps, caller, null)).grants : [input.namespacePrefix],
  )
  const { authorized, rows } = await deps.db.asCaller(caller, ranges, [startOf(input, subjects, ranges, now), readGeneration])
  const [starts, [state]] = rows
  if (input.start.memoryId !== undefined && starts.length === 0) throw new Refusal('not_found', 'There is no such memory.')
  const start = starts.slice(0, input.limit)
  const { nodes, edges, cut, freshness } = await walk(deps, caller, {
    ...{ start, authorized, ranges, generations: state?.generations ?? [], at, session },
    ...{ via: input.via ?? [], direction: input.direction, hops: input.hops, limit: input.limit },
  })
  return { nodes, edges, cut: cut || starts.length > start.length, freshness }
}

function startOf({ start, limit }: GraphQuery, subjects: readonly Range[], ranges: readonly Range[] | null, now: string) {
  if (start.memoryId !== undefined) return startMemory(start.memoryId, ranges, now)
  const normalized = start.value === undefined ? null : normalize(start.value)
  return startEntities({ type: start.type ?? null, normalized, subjects, ranges, most: limit + 1 }, now)
}
