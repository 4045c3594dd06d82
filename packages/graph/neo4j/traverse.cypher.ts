import type { Found, Traversal } from '@twofold/core/graph/port.ts'
import neo4j from 'neo4j-driver-lite'
import { type Cypher, EDGES, KIND } from './cypher.ts'

const { int } = neo4j

type Reached = Found['nodes'][number]
type Query = <Row>(cypher: Cypher<Row>) => Promise<Row[]>

/**
 * Breadth first, a statement for each hop (the first brings the starts along) and one for the edges. Each takes the
 * nearest nodes not seen yet, by id, and no more than the answer can still hold and one to know that it was cut, so the
 * cost is bounded by `limit` times a node's degree, hop by hop. In one statement for all of it what was seen would be a
 * column, of which Neo4j counts a copy for each row: 280 MB for 300 nodes. It is read-committed, so one transaction
 * would not be a view of one moment either.
 */
export async function traverse(query: Query, tenant: string, traversal: Traversal, generation: number): Promise<Found> {
  const { start, ranges, via, direction, hops, limit } = traversal
  const common = { tenant, generation: int(generation), ranges, via }
  const found: Reached[] = []
  const seen = new Set(start)
  let last = [...seen].map((id) => ({ id, from: id }))
  let room = limit + 1
  for (let hop = 1; hop <= hops && room > 0 && last.length > 0; hop++) {
    const text = TEXTS[direction][hop === 1 ? 'first' : 'further']
    const rows = await query<Reached>({ text, parameters: { ...common, last, seen: [...seen], hop: int(hop), room: int(room) } })
    found.push(...rows)
    last = rows.filter((node) => node.hops === hop)
    room -= last.length
    for (const { id } of last) seen.add(id)
  }
  const cut = room === 0
  if (cut) found.pop()
  const edges = await query<Found['edges'][number]>({ text: BETWEEN, parameters: { ...common, ids: found.map((node) => node.id) } })
  return { nodes: found, edges, cut }
}

const ANY_EDGE = `[r:${EDGES.join('|')}]`
const ARROWS = { out: `-${ANY_EDGE}->`, in: `<-${ANY_EDGE}-`, both: `-${ANY_EDGE}-` }

/** Edges that lead anywhere: of the types asked for, asserted where the caller may look. */
const SHOWN = `(size($via) = 0 or type(r) in $via or (type(r) = 'RELATES_TO' and r.type in $via))
  and any(range in $ranges where r.namespace >= range.low and r.namespace < range.high)`

/** Only what is shown has a subject. */
const STARTS = `match (n:Node) where n.tenant = $tenant and n.generation = $generation and n.id in $seen and n.subject is not null
with n, n.id as id order by id
return id, ${KIND} as kind, 0 as hops, id as from
union all
`

/**
 * What is reached at one hop, of the same subject, so neither tombstones nor placeholders. Its nearest start is the least
 * of those that were nearest to what leads there. Edges never lead to another tenant or generation.
 */
const step = (direction: Traversal['direction']): string => `unwind $last as one
match (a:Node {tenant: $tenant, generation: $generation, id: one.id})
match (a)${ARROWS[direction]}(n:Node)
where n.subject = a.subject and not n.id in $seen and ${SHOWN}
with n, min(one.from) as from
with n, n.id as id, from order by id limit $room
return id, ${KIND} as kind, $hop as hops, from`

const texts = (direction: Traversal['direction']) => ({
  first: `cypher 5\n${STARTS}${step(direction)}`,
  further: `cypher 5\n${step(direction)}`,
})
const TEXTS = { out: texts('out'), in: texts('in'), both: texts('both') }

const BETWEEN = `cypher 5
match (a:Node) where a.tenant = $tenant and a.generation = $generation and a.id in $ids
match (a)-${ANY_EDGE}->(b:Node)
where b.id in $ids and ${SHOWN}
with distinct type(r) as type, a.id as from, b.id as to, coalesce(r.type, '') as relation
return type, from, to, relation order by type, from, to, relation`
