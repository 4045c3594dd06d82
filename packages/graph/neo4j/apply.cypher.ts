import type { Projection } from '@twofold/core/graph/port.ts'
import neo4j from 'neo4j-driver-lite'
import { type Cypher, OWNED_BY, scalars } from './cypher.ts'

const { int } = neo4j

/**
 * Writes a batch in one statement, so that by itself it is one transaction and one round trip. Nodes are found or made
 * in the order of their ids and those of the batch locked in that order, so concurrent batches rarely deadlock.
 * `set n:Node` changes nothing and takes the lock, without which a revision read here could be overtaken: Neo4j is
 * read-committed, and neither `merge` nor setting a property to null locks what is there already.
 * A node that only edges name so far is a placeholder: it has an id and `absent`, and nothing that a reader asks for.
 * Labels and edge types come from closed sets and are set dynamically; relation types stay properties.
 */
export const apply = (tenant: string, batch: readonly Projection[], generations: readonly number[], now: string): Cypher => {
  const rows = [...batch].sort((a, b) => (a.id < b.id ? -1 : 1))
  const own = new Set(rows.map((row) => row.id))
  const ids = [...new Set(rows.flatMap((row) => [row.id, ...(row.gone ? [] : row.edges.flatMap(({ from, to }) => [from, to]))]))].sort()
  const places = new Map(ids.map((id, place) => [id, int(place)]))
  return {
    text: APPLY,
    parameters: {
      tenant,
      now,
      generations: [...generations].sort((a, b) => a - b).map((generation) => int(generation)),
      ids: ids.map((id, place) => ({ id, place: int(place), ...(own.has(id) ? {} : { absent: true }) })),
      rows: rows.map((row) => parametersOf(row, places)),
    },
  }
}

const LABELS = { memory: 'Memory', entity: 'Entity', session: 'Session' }

function parametersOf(row: Projection, places: ReadonlyMap<string, unknown>) {
  const { id, revision, subject, bucket } = row
  const common = { place: places.get(id), revision: int(revision), gone: row.gone }
  if (row.gone) return { ...common, labels: [], edges: [], properties: { id, revision: int(revision) } }
  const { kind, labels, properties, digest, edges } = row
  return {
    ...common,
    labels: [LABELS[kind], ...labels],
    properties: {
      ...scalars(properties),
      id,
      revision: int(revision),
      subject,
      bucket: int(bucket),
      digestHigh: int(digest[0]),
      digestLow: int(digest[1]),
    },
    edges: edges.map(({ type, from, to, relation, namespace, confidence }) => ({
      type,
      from: places.get(from),
      to: places.get(to),
      properties: { namespace, confidence, ...(relation === '' ? {} : { type: relation }) },
    })),
  }
}

const APPLY = `cypher 5
unwind $generations as generation
unwind $ids as one
merge (n:Node {tenant: $tenant, generation: generation, id: one.id})
  on create set n.absent = one.absent
with generation, n, one.place as place order by place
with generation, collect(n) as nodes
unwind $rows as row
with generation, nodes, row, row.properties as properties, nodes[row.place] as n
set n:Node
with generation, nodes, row, properties, n
where n.revision is null or n.revision < row.revision or (n.revision = row.revision and n.goneAt is null)
call (n, generation) {
  with n, generation where n.revision is not null
  ${OWNED_BY('n.id', 'generation', (edge) => `call (n, generation) { ${edge} delete r }`).join('\n  ')}
}
set n = properties {.*, tenant: $tenant, generation: generation, goneAt: case when row.gone then datetime($now) end}
remove n:$([label in labels(n) where label <> 'Node'])
set n:$(row.labels)
with generation, nodes, row, n
unwind row.edges as edge
with generation, n, edge.type as type, edge.properties as properties, nodes[edge.from] as from, nodes[edge.to] as to
create (from)-[r:$(type)]->(to)
set r = properties {.*, tenant: $tenant, generation: generation, owner: n.id}`

/**
 * Removes tombstones written before `before`; one that edges still name becomes a placeholder. Then placeholders that no
 * edge names any more. Each node is locked before it is looked at, so an edge that is being made is waited for; a writer
 * that comes a moment later finds its node gone and writes again.
 */
export const purge = (tenant: string, before: Date, generations: readonly number[]): Cypher<{ purged: number }> => ({
  text: PURGE,
  parameters: { tenant, before: before.toISOString(), generations: generations.map((generation) => int(generation)) },
})

const PURGE = `cypher 5
call () {
  match (n:Node) where n.tenant = $tenant and n.goneAt < datetime($before) and n.generation in $generations
  with n order by n.generation, n.id
  set n:Node
  with n where n.goneAt < datetime($before)
  with n, exists { (n)--() } as named
  foreach (one in case when named then [n] else [] end |
    set one = {tenant: n.tenant, generation: n.generation, id: n.id, absent: true})
  foreach (one in case when named then [] else [n] end | delete one)
  return count(*) as purged
}
call () {
  match (n:Node) where n.tenant = $tenant and n.absent = true and n.generation in $generations
  with n order by n.generation, n.id
  set n:Node
  with n where n.absent and not exists { (n)--() }
  delete n
}
return purged`
