import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { z } from 'zod'
import { EntityType, normalize } from '../entities/entity.ts'
import { introduce } from '../keys/introduce.ts'
import { MemoryId } from '../memories/memory.ts'
import { below, granted, NamespacePrefix, subjectsWithin } from '../namespaces/namespace.ts'
import type { Deps, Range } from '../ports.ts'
import { lagMs, oldestOwed } from './lag.sql.ts'
import { Edge, Freshness, Node } from './node.ts'
import type { Found } from './port.ts'
import { readGeneration, renderEdges, renderNodes, type StartRow, startEntities, startMemory } from './query.sql.ts'

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
 * What hangs together with a memory or an entity, up to `hops` edges away. The graph answers with ids; every node and
 * edge is then shown as the rows say it is now, so nothing appears that the key may not see or that is there no more,
 * and nothing is reached through such a thing. A name may stand for one entity in each of several subjects.
 * Refuses `not_found` for a memory the key does not see, `unavailable` while the graph is off or out of reach.
 */
export async function query(deps: Deps, caller: Caller, input: GraphQuery): Promise<GraphAnswer> {
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
  const found = await caller.timings.measure('graph', () =>
    deps.graph.traverse(
      authorized.tenant,
      {
        start: start.map((row) => row.id),
        ranges: ranges ?? granted(authorized.grants),
        via: input.via ?? [],
        direction: input.direction,
        hops: input.hops,
        limit: input.limit - start.length,
      },
      { generations: state?.generations ?? [], timeoutMs: deps.settings.graphDeadlineMs, signal: caller.signal },
    ),
  )
  const shown = await render(deps, caller, ranges, start, found, now)
  return {
    ...reachable(start, shown.nodes, shown.edges, input),
    cut: found.cut || starts.length > start.length,
    freshness: { asOf: now, graphLagMs: lagMs(shown.owed, at) },
  }
}

function startOf({ start, limit }: GraphQuery, subjects: readonly Range[], ranges: readonly Range[] | null, now: string) {
  if (start.memoryId !== undefined) return startMemory(start.memoryId, ranges, now)
  const normalized = start.value === undefined ? null : normalize(start.value)
  return startEntities({ type: start.type ?? null, normalized, subjects, ranges, most: limit + 1 }, now)
}

async function render(deps: Deps, caller: Caller, ranges: readonly Range[] | null, start: readonly StartRow[], found: Found, now: string) {
  const ids = [...new Set([...start.map((row) => row.id), ...found.nodes.map((node) => node.id)])]
  const subjects = [...new Set(start.map((row) => row.subject))]
  const { rows } = await deps.db.asCaller(caller, ranges, [
    renderNodes(ids, ranges, now),
    renderEdges(found.edges, ranges, now),
    oldestOwed(subjects),
  ])
  return {
    nodes: rows[0].map((row) => row.node as unknown as Node),
    edges: rows[1].map((row) => row.edge as unknown as Edge),
    owed: rows[2],
  }
}

/** Walks again over what may be shown: what was reached only through something hidden goes too. */
function reachable(
  start: readonly StartRow[],
  nodes: readonly Node[],
  edges: readonly Edge[],
  { direction, hops }: Pick<GraphQuery, 'direction' | 'hops'>,
): { nodes: Node[]; edges: Edge[] } {
  const visible = new Map(nodes.map((node) => [node.id, node]))
  const distance = new Map(start.filter((row) => visible.has(row.id)).map((row) => [row.id, 0]))
  for (let hop = 1; hop <= hops; hop++) {
    const step = (from: string, to: string) => {
      if (distance.get(from) === hop - 1 && visible.has(to) && !distance.has(to)) distance.set(to, hop)
    }
    for (const { from, to } of edges) {
      if (direction !== 'in') step(from, to)
      if (direction !== 'out') step(to, from)
    }
  }
  const kept = [...distance].map(([id, hops]) => ({ ...(visible.get(id) as Node), hops }))
  return {
    nodes: kept.sort((a, b) => a.hops - b.hops || (a.id < b.id ? -1 : 1)),
    edges: edges.filter(({ from, to }) => distance.has(from) && distance.has(to)),
  }
}
