import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { EntityType, EntityValue } from '../entities/entity.ts'
import { normalize } from '../entities/mentions.ts'
import { noEntity, selectEntity } from '../entities/read.ts'
import { introduce } from '../keys/introduce.ts'
import { MemoryId } from '../memories/fields.ts'
import type { InSession } from '../memories/remember.ts'
import { below, granted, NamespacePrefix, subjectsWithin } from '../namespaces/namespace.ts'
import type { Deps, Range } from '../ports.ts'
import type { Statement } from '../sql.ts'
import { lagMs, oldestOwed } from './lag.sql.ts'
import { Edge, Freshness, Node } from './node.ts'
import { readGeneration, renderEdges, renderNodes, type StartRow, startEntities } from './query.sql.ts'
import { trails } from './trails.ts'

const End = z
  .strictObject({ id: MemoryId.optional(), type: EntityType.optional(), value: EntityValue.optional() })
  .refine(({ id, type, value }) => (id !== undefined) !== (value !== undefined) && (id === undefined || type === undefined), {
    message: 'must name the id of an entity, or its value and perhaps its type',
  })
type End = z.infer<typeof End>

const same = (a: End, b: End): boolean =>
  a.id !== undefined
    ? a.id === b.id
    : a.value !== undefined && b.value !== undefined && a.type === b.type && normalize(a.value) === normalize(b.value)

export const PathsQuery = z
  .strictObject({
    from: End,
    to: End,
    via: z
      .array(z.string().min(1).max(100))
      .max(50)
      .optional()
      .meta({ description: 'Follow only these: MENTIONS, ABOUT, RELATES_TO, or types of relations such as works_at.' }),
    hops: z.int().min(1).max(4).default(4),
    limit: z.int().min(1).max(50).default(10).meta({ description: 'Paths in the answer, shortest first.' }),
    namespacePrefix: NamespacePrefix.optional().meta({ description: 'Where to look; without it everywhere the key may see.' }),
    maxStalenessMs,
  })
  .refine(({ from, to }) => !same(from, to), { path: ['to'], message: 'must be another entity than from' })
export type PathsQuery = z.infer<typeof PathsQuery>

export const PathsAnswer = z.object({
  paths: z.array(z.object({ hops: z.number(), nodes: z.array(z.string()).meta({ description: 'Ids, from one end to the other.' }) })),
  nodes: z.array(Node.meta({ description: 'What the paths lead over; hops count from the nearer end.' })),
  edges: z.array(Edge).meta({ description: 'What joins neighbours on a path.' }),
  cut: z.boolean().meta({ description: 'True when there may be more paths than these.' }),
  freshness: Freshness,
})
export type PathsAnswer = z.infer<typeof PathsAnswer>

/** A name may stand for one entity in each of so many subjects. */
const ENDS = 20
/** Nodes that are looked at around the ends, nearest first. */
const AROUND = 1000
/** Paths are looked for as the graph shows them, so many times more than asked for, because rows may no longer show all of them. */
const SPARE = 4

/**
 * How two entities hang together: the shortest ways from one to the other, over relations and over memories that mention
 * two of them, whichever way the edges point. One question to the graph: whatever lies on a path of four edges is within
 * two of an end. Shows only what the key may see, never crosses a subject. Refuses `not_found` for an id that the key does
 * not see, `unavailable` while the graph is off or out of reach; names that nobody has mentioned have no paths.
 */
export async function findPaths(deps: Deps, caller: Caller, query: PathsQuery, { session }: InSession = {}): Promise<PathsAnswer> {
  if (!deps.settings.graphEnabled) throw new Refusal('unavailable', 'The graph is switched off in this deployment.')
  const at = deps.now()
  const { hops, limit, namespacePrefix, via = [] } = query
  const ranges = namespacePrefix === undefined ? null : below(namespacePrefix)
  const subjects = subjectsWithin(namespacePrefix === undefined ? (await introduce(deps, caller, null)).grants : [namespacePrefix])
  const find = (end: End) => endOf(end, subjects, ranges, at.toISOString())
  const { authorized, rows } = await deps.db.asCaller(caller, ranges, [find(query.from), find(query.to), readGeneration])
  const [from, to, [state]] = rows
  if ((query.from.id !== undefined && from.length === 0) || (query.to.id !== undefined && to.length === 0)) throw noEntity()
  const pairs = from.flatMap((a) => to.filter((b) => b.subject === a.subject && b.id !== a.id).map((b) => [a.id, b.id] as const))
  const start = [...new Set(pairs.flat())]
  const found = await caller.timings.measure('graph', () =>
    deps.graph.traverse(
      authorized.tenant,
      { start, via, ranges: ranges ?? granted(authorized.grants), direction: 'both', hops: Math.ceil(hops / 2), limit: AROUND },
      { generations: state?.generations ?? [], timeoutMs: deps.settings.graphDeadlineMs, signal: caller.signal, session },
    ),
  )
  const likely = trails(pairs, found.edges, { hops, limit: limit * SPARE })
  const over = stepsOf(likely.trails)
  const shown = await deps.db.asCaller(caller, ranges, [
    renderNodes([...new Set(likely.trails.flat())], ranges, at.toISOString()),
    renderEdges(
      found.edges.filter((edge) => over.has(stepOf(edge.from, edge.to))),
      ranges,
      at.toISOString(),
    ),
    oldestOwed([...new Set(from.map((row) => row.subject))]),
  ])
  const nodes = new Map(shown.rows[0].map(({ node }) => [node.id, node as unknown as Node]))
  const edges = shown.rows[1].map((row) => row.edge as unknown as Edge).filter((edge) => nodes.has(edge.from) && nodes.has(edge.to))
  const kept = trails(pairs, edges, { hops, limit })
  const steps = stepsOf(kept.trails)
  const away = new Map<string, number>()
  for (const trail of kept.trails)
    for (const [i, id] of trail.entries()) away.set(id, Math.min(away.get(id) ?? hops, i, trail.length - 1 - i))
  return {
    paths: kept.trails.map((trail) => ({ hops: trail.length - 1, nodes: trail })),
    nodes: [...away].map(([id, hops]) => ({ ...(nodes.get(id) as Node), hops })),
    edges: edges.filter((edge) => steps.has(stepOf(edge.from, edge.to))),
    cut: found.cut || likely.cut || kept.cut || from.length > ENDS || to.length > ENDS,
    freshness: { asOf: at.toISOString(), graphLagMs: lagMs(shown.rows[2], at) },
  }
}

const stepsOf = (found: readonly string[][]): Set<string> =>
  new Set(found.flatMap((trail) => trail.slice(1).map((id, i) => stepOf(id, trail[i] as string))))

const stepOf = (a: string, b: string): string => (a < b ? `${a} ${b}` : `${b} ${a}`)

const endOf = ({ id, type, value }: End, subjects: readonly Range[], ranges: readonly Range[] | null, now: string): Statement<StartRow> =>
  id === undefined
    ? startEntities({ type: type ?? null, normalized: normalize(value ?? ''), subjects, ranges, most: ENDS + 1 }, now)
    : selectEntity(id, now, ranges)
