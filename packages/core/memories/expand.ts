import type { Caller } from '@twofold/operation/caller.ts'
import type { Edge } from '../graph/node.ts'
import { renderEdges } from '../graph/query.sql.ts'
import { inside } from '../namespaces/inside.sql.ts'
import type { Deps, Range } from '../ports.ts'
import { sql } from '../sql.ts'
import { live } from './live.sql.ts'
import type { Memory } from './memory.ts'
import { any, type RecallRow } from './recall.sql.ts'
import type { InSession } from './remember.ts'
import type { SearchQuery, SearchResult } from './search.ts'

/** How many of the best results lead on into the graph. */
const STARTS = 5
/** Nodes in reach that are looked at, entities among them, nearest first. */
const MOST_REACHED = 300
/** What one hop away is worth, beside what it was reached from. */
const DECAY = 0.7

/**
 * Memories that the graph connects to the best results, each with the result it is nearest to: one question to the graph,
 * from all of them at once. Rows the caller may see, of the types and kinds that the search is for, nothing else, and
 * connected by what such rows assert now: nobody learns what a write that is still being decided would connect.
 */
export async function expand(
  deps: Deps,
  caller: Caller,
  tenant: string,
  ranges: readonly Range[],
  rows: readonly RecallRow[],
  query: SearchQuery,
  { session }: InSession = {},
): Promise<SearchResult['results']> {
  const known = new Map(rows.map((row) => [row.memory.id, row]))
  const start = rows.slice(0, STARTS).map((row) => row.memory.id)
  if (start.length === 0) return []
  const now = deps.now().toISOString()
  const hops = query.expand?.hops ?? 0
  const found = await deps.graph.traverse(
    tenant,
    { start, ranges, via: [], direction: 'both', hops, limit: MOST_REACHED },
    { generations: rows[0]?.generations ?? [], signal: caller.signal, timeoutMs: deps.settings.graphDeadlineMs, session },
  )
  const ids = found.nodes.flatMap((node) => (node.kind === 'memory' && !known.has(node.id) ? [node.id] : []))
  if (ids.length === 0) return []
  const {
    rows: [answers, edges],
  } = await deps.db.asCaller(caller, ranges, [
    sql<{ memory: Memory }>`select m.json as memory from readable_memories m
      where m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[]) and ${inside(sql`m.namespace`, ranges)} and ${live(now)}
        and ${any('m.type', query.types ?? null)} and ${any('m.kind', query.kinds ?? null)}`,
    renderEdges(found.edges, ranges, now),
  ])
  const reached = nearest(
    start,
    edges.map((row) => row.edge as unknown as Edge),
    hops,
  )
  return answers
    .flatMap(({ memory }) => {
      const via = reached.get(memory.id)
      const { score } = known.get(via?.from ?? '') ?? {}
      return via && score !== undefined ? [{ memory, score: score * DECAY ** via.hops, parts: {}, via }] : []
    })
    .sort((a, b) => b.score - a.score || (a.memory.id < b.memory.id ? 1 : -1))
    .slice(0, query.limit)
}

/** How far everything is from the start it is nearest to, of several the one with the least id. */
function nearest(start: readonly string[], edges: readonly Edge[], hops: number): Map<string, { from: string; hops: number }> {
  const reached = new Map(start.map((id) => [id, { from: id, hops: 0 }]))
  for (let hop = 1; hop <= hops; hop++) {
    const step = (a: string, b: string) => {
      const [here, there] = [reached.get(a), reached.get(b)]
      if (here?.hops === hop - 1 && (!there || (there.hops === hop && here.from < there.from)))
        reached.set(b, { from: here.from, hops: hop })
    }
    for (const { from, to } of edges) {
      step(from, to)
      step(to, from)
    }
  }
  return reached
}
