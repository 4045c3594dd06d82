import type { Caller } from '@twofold/operation/caller.ts'
import { granted } from '../namespaces/namespace.ts'
import type { Authorized, Deps, Range } from '../ports.ts'
import { lagMs, oldestOwed } from './lag.sql.ts'
import type { Edge, Node } from './node.ts'
import type { Found, GraphOptions, Traversal } from './port.ts'
import { renderEdges, renderNodes, type StartRow } from './query.sql.ts'

export interface Walk extends Pick<Traversal, 'via' | 'direction' | 'hops' | 'limit'>, Pick<GraphOptions, 'session'> {
  start: readonly StartRow[]
  authorized: Authorized
  /** Where to look; null: everywhere the key may see. */
  ranges: readonly Range[] | null
  generations: readonly number[]
  at: Date
}

export interface Walked {
  nodes: Node[]
  edges: Edge[]
  cut: boolean
  freshness: { asOf: string; graphLagMs: number }
}

/**
 * What hangs together with these rows. The graph answers with ids; every node and edge is then shown as the rows say it
 * is now, so nothing appears that the key may not see or that is there no more, and nothing is reached through such a
 * thing. Throws `GraphStoreError`.
 */
export async function walk(
  deps: Deps,
  caller: Caller,
  { start, authorized, ranges, generations, at, session, ...w }: Walk,
): Promise<Walked> {
  const now = at.toISOString()
  const found = await caller.timings.measure('graph', () =>
    deps.graph.traverse(
      authorized.tenant,
      { ...w, start: start.map((row) => row.id), ranges: ranges ?? granted(authorized.grants), limit: w.limit - start.length },
      { generations, timeoutMs: deps.settings.graphDeadlineMs, signal: caller.signal, session },
    ),
  )
  const shown = await render(deps, caller, ranges, start, found, now)
  return {
    ...reachable(start, shown.nodes, shown.edges, w),
    cut: found.cut,
    freshness: { asOf: now, graphLagMs: lagMs(shown.owed, at) },
  }
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
  { direction, hops }: Pick<Traversal, 'direction' | 'hops'>,
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
