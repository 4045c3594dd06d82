interface Joint {
  from: string
  to: string
}

/** Steps that are tried before the search is given up: what leads nowhere is never tried, so only a thicket has so many. */
const MOST_STEPS = 20_000

/**
 * The ways between two nodes over these edges, in either direction, of at most `hops` edges and without a node twice;
 * shortest first, at most `limit`. `cut` when there may be more. Of each of the pairs, together.
 */
export function trails(
  pairs: readonly (readonly [string, string])[],
  edges: readonly Joint[],
  { hops, limit }: { hops: number; limit: number },
): { trails: string[][]; cut: boolean } {
  const beside = neighbours(edges)
  const ends = pairs.map(([from, to]) => ({ from, to, left: distances(to, beside, hops) }))
  const found: string[][] = []
  let steps = 0
  for (let length = 1; length <= hops; length++) {
    for (const { from, to, left } of ends) {
      const stack = [[from]]
      while (stack.length > 0) {
        const trail = stack.pop() as string[]
        const here = trail.at(-1) as string
        const room = length - (trail.length - 1)
        if (room === 0) {
          if (here !== to) continue
          if (found.length === limit) return { trails: found, cut: true }
          found.push(trail)
          continue
        }
        if (here === to) continue
        if (++steps > MOST_STEPS) return { trails: found, cut: true }
        // From the last to the first, so that they are taken in the order of their ids.
        const next = (beside.get(here) ?? []).filter((id) => (left.get(id) ?? hops) < room && !trail.includes(id))
        for (const id of next.toReversed()) stack.push([...trail, id])
      }
    }
  }
  return { trails: found, cut: false }
}

function neighbours(edges: readonly Joint[]): Map<string, string[]> {
  const beside = new Map<string, Set<string>>()
  const add = (a: string, b: string) => beside.set(a, (beside.get(a) ?? new Set()).add(b))
  for (const { from, to } of edges) {
    if (from === to) continue
    add(from, to)
    add(to, from)
  }
  return new Map([...beside].map(([id, ids]) => [id, [...ids].sort()]))
}

/** How many edges each node is away from this one, as far as `hops`. */
function distances(end: string, beside: ReadonlyMap<string, readonly string[]>, hops: number): Map<string, number> {
  const far = new Map([[end, 0]])
  let last = [end]
  for (let hop = 1; hop <= hops && last.length > 0; hop++) {
    last = last.flatMap((id) => beside.get(id) ?? []).filter((id) => !far.has(id) && far.set(id, hop))
  }
  return far
}
