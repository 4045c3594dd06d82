import type { Head, Pruned, StrayEdge } from '@twofold/core/graph/port.ts'
import neo4j from 'neo4j-driver-lite'
import { EDGES, OWNED_BY } from './cypher.ts'
import { ASSERTED, PROPER, type Query } from './sums.cypher.ts'

const { int } = neo4j

/** Takes away what was reported, where it is still so: a statement for the nodes, one for what nobody shown asserts, one for single edges. */
export async function prune(query: Query, tenant: string, what: readonly Pruned[], generation: number): Promise<number> {
  const common = { tenant, generation: int(generation), types: EDGES }
  const run = async (text: string, parameters: Record<string, unknown[]>): Promise<number> =>
    Object.values(parameters).every((list) => list.length === 0)
      ? 0
      : ((await query<{ removed: number }>({ text, parameters: { ...common, ...parameters } }))[0]?.removed ?? 0)
  const edges = what.flatMap((one) => ('edge' in one ? [known(one.edge)] : []))
  const owners = what.flatMap((one) => ('owner' in one ? [one.owner] : []))
  const nodes = what.flatMap((one) => ('node' in one ? [reported(one.node)] : []))
  return (await run(EDGES_AWAY, { edges })) + (await run(OWNERS_AWAY, { owners })) + (await run(NODES_AWAY, { nodes }))
}

const known = ({ handle, type, owner }: StrayEdge) => ({ handle, type, owner })
const reported = ({ handle, id, revision, digest }: Head) => ({
  ...{ handle, id },
  revision: revision === null ? null : int(revision),
  high: digest === null ? null : int(digest[0]),
  low: digest === null ? null : int(digest[1]),
})

/** A handle may mean another edge by now, so all that is known of it must agree. */
const EDGES_AWAY = `cypher 5
unwind $edges as one
match (a:Node)-[r]->(m) where elementId(r) = one.handle and type(r) = one.type and a.tenant = $tenant and a.generation = $generation
  and coalesce(toStringOrNull(r.owner) = one.owner, one.owner is null and r.owner is null)
with r, m where not ${PROPER} or not ${ASSERTED}
delete r
return count(*) as removed`

const OWNERS_AWAY = `cypher 5
unwind $owners as owner
call (owner) {
  ${OWNED_BY('owner', '$generation', (edge) => `${edge} return r`).join('\n  union all ')}
}
with r where not ${ASSERTED}
delete r
return count(*) as removed`

const same = (property: string, reported: string): string =>
  `coalesce(case when ${property} is :: integer not null then ${property} end = ${reported}, not ${property} is :: integer not null and ${reported} is null)`

/**
 * Locked before it is looked at again. What others' edges name keeps its place, without anything of itself, as after a
 * purge; one without an id of its own goes with all its edges.
 */
const NODES_AWAY = `cypher 5
unwind $nodes as one
match (n:Node) where elementId(n) = one.handle and n.tenant = $tenant and n.generation = $generation
set n:Node
with n, one
where coalesce(n.id = one.id, one.id is null) and ${same('n.revision', 'one.revision')} and ${same('n.digestHigh', 'one.high')} and ${same('n.digestLow', 'one.low')}
call (n) {
  with n where n.id is not null
  ${OWNED_BY('n.id', '$generation', (edge) => `call (n) { ${edge} delete r }`).join('\n  ')}
}
remove n:$([label in labels(n) where label <> 'Node'])
with n, n.id is :: string not null and exists { (n)--() } as named
foreach (x in case when named then [n] else [] end | set x = {tenant: x.tenant, generation: x.generation, id: x.id, absent: true})
foreach (x in case when named then [] else [n] end | detach delete x)
return count(*) as removed`
