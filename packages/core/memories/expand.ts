import type { Caller } from '@twofold/operation/caller.ts'
import type { Found } from '../graph/port.ts'
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
 * from all of them at once. Rows the caller may see, of the types and kinds that the search is for, nothing else.
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
  const { nodes } = await deps.graph.traverse(
    tenant,
    { start, ranges, via: [], direction: 'both', hops: query.expand?.hops ?? 0, limit: MOST_REACHED },
    { generations: rows[0]?.generations ?? [], signal: caller.signal, timeoutMs: deps.settings.graphDeadlineMs, session },
  )
  const reached = new Map(nodes.filter((node) => node.kind === 'memory' && !known.has(node.id)).map((node) => [node.id, node]))
  if (reached.size === 0) return []
  const { rows: answers } = await deps.db.asCaller(caller, ranges, [
    sql<{ memory: Memory }>`select m.json as memory from readable_memories m
      where m.tenant_id = current_tenant() and m.id = any(${[...reached.keys()]}::uuid[]) and ${inside(sql`m.namespace`, ranges)} and ${live(deps.now().toISOString())}
        and ${any('m.type', query.types ?? null)} and ${any('m.kind', query.kinds ?? null)}`,
  ])
  return answers[0]
    .map(({ memory }) => {
      const { from, hops } = reached.get(memory.id) as Found['nodes'][number]
      const { score } = known.get(from) as RecallRow
      return { memory, score: score * DECAY ** hops, parts: {}, via: { from, hops } }
    })
    .sort((a, b) => b.score - a.score || (a.memory.id < b.memory.id ? 1 : -1))
    .slice(0, query.limit)
}
