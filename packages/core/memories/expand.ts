import type { Caller } from '@twofold/operation/caller.ts'
import { inside } from '../namespaces/inside.sql.ts'
import type { Deps, Range } from '../ports.ts'
import { sql } from '../sql.ts'
import { live } from './live.sql.ts'
import type { Memory } from './memory.ts'
import type { RecallRow } from './recall.sql.ts'
import type { SearchQuery, SearchResult } from './search.ts'

/** How many of the best results lead on into the graph. */
const STARTS = 5
/** What one hop away is worth, beside what it was reached from. */
const DECAY = 0.7

/** Memories that the graph connects to the best results, each with the result it was reached from; rows the caller may see, nothing else. */
export async function expand(
  deps: Deps,
  caller: Caller,
  tenant: string,
  ranges: readonly Range[],
  rows: readonly RecallRow[],
  query: SearchQuery,
): Promise<SearchResult['results']> {
  const hops = query.expand?.hops ?? 0
  const known = new Set(rows.map((row) => row.memory.id))
  const reached = new Map<string, { from: RecallRow; hops: number }>()
  const starts = rows.slice(0, STARTS)
  const found = await Promise.all(
    starts.map((row) =>
      deps.graph.traverse(
        tenant,
        { start: [row.memory.id], ranges, via: [], direction: 'both', hops, limit: 100 },
        { generations: row.generations, signal: caller.signal },
      ),
    ),
  )
  found.forEach(({ nodes }, i) => {
    for (const node of nodes) {
      const before = reached.get(node.id)
      if (node.kind !== 'memory' || known.has(node.id) || (before && before.hops <= node.hops)) continue
      reached.set(node.id, { from: starts[i] as RecallRow, hops: node.hops })
    }
  })
  if (reached.size === 0) return []
  const { rows: answers } = await deps.db.asCaller(caller, ranges, [
    sql<{ memory: Memory }>`select m.json as memory from readable_memories m
      where m.tenant_id = current_tenant() and m.id = any(${[...reached.keys()]}::uuid[]) and ${inside(sql`m.namespace`, ranges)} and ${live(deps.now().toISOString())}`,
  ])
  return answers[0]
    .map(({ memory }) => {
      const { from, hops: distance } = reached.get(memory.id) as { from: RecallRow; hops: number }
      return { memory, score: from.score * DECAY ** distance, parts: {}, via: { from: from.memory.id, hops: distance } }
    })
    .sort((a, b) => b.score - a.score || (a.memory.id < b.memory.id ? 1 : -1))
    .slice(0, query.limit)
}
