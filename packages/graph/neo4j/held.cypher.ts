import type { Edge, GraphCounts, NodeKind, Shown } from '@twofold/core/graph/port.ts'
import neo4j from 'neo4j-driver-lite'
import { type Cypher, EDGES, IN_BUCKETS, KIND, OWNED_BY, spansOf } from './cypher.ts'

const { int } = neo4j

/** What a reader sees: neither tombstones nor placeholders (only what is shown has a subject), nor edges that end in one. */
export const count = (tenant: string, generation: number): Cypher<GraphCounts> => ({
  text: COUNT,
  parameters: { tenant, generation: int(generation) },
})

const COUNT = `cypher 5
match (n:Node) where n.tenant = $tenant and n.generation = $generation and n.id is not null and n.subject is not null
with n, ${KIND} as kind, count { (n)-[:${EDGES.join('|')}]->(m) where m.subject is not null } as edges
return count(case kind when 'memory' then 1 end) as memories, count(case kind when 'entity' then 1 end) as entities,
  count(case kind when 'session' then 1 end) as sessions, sum(edges) as edges`

export interface HeldRow {
  properties: Record<string, string | number | boolean>
  labels: string[]
  edges: Edge[]
}

/** The nodes of these buckets or ids as they are held, each with what it asserts. */
export const hold = (
  tenant: string,
  which: readonly number[] | { readonly ids: readonly string[] },
  generation: number,
): Cypher<HeldRow> => {
  const ids = 'ids' in which
  const parameters = {
    tenant,
    generation: int(generation),
    ...(ids ? { ids: which.ids } : { spans: spansOf(which) }),
  }
  return { text: ids ? HOLD.ids : HOLD.buckets, parameters }
}

/** An end that is not where readers look is no end. */
const END = (x: string): string =>
  `case when ${x}:Node and ${x}.tenant = $tenant and ${x}.generation = $generation then ${x}.id else '' end`

const held = (condition: string, unwind = ''): string => `cypher 5
${unwind}match (n:Node) where n.tenant = $tenant and n.generation = $generation and ${condition} and n.id is not null and n.subject is not null
optional call (n) {
  ${OWNED_BY('n.id', '$generation', (edge) => `${edge} return r, ${END('a')} as from, ${END('b')} as to`).join('\n  union all ')}
}
with n, r, from, to order by type(r), from, to, r.type
with n, collect(case when r is not null then {type: type(r), from: from, to: to, relation: coalesce(r.type, ''), namespace: r.namespace, confidence: r.confidence} end) as edges
return properties(n) as properties, labels(n) as labels, edges
order by n.id`
const HOLD = { buckets: held(IN_BUCKETS.condition, IN_BUCKETS.unwind), ids: held('n.id in $ids') }

const KINDS = new Map<string, NodeKind>([
  ['Memory', 'memory'],
  ['Entity', 'entity'],
  ['Session', 'session'],
])

/** A node as it was projected, as far as the graph still has it: a label too many or none of a kind shows in its digest. */
export function shownOf({ properties: all, labels, edges }: HeldRow): Shown {
  const { tenant, generation, id, revision, subject, bucket, digestHigh, digestLow, ...properties } = all
  const of = labels.find((label) => KINDS.has(label)) ?? ''
  return {
    gone: false,
    kind: KINDS.get(of) ?? ('' as NodeKind),
    id: id as string,
    revision: revision as number,
    subject: subject as string,
    bucket: bucket as number,
    digest: [digestHigh as number, digestLow as number],
    labels: labels.filter((label) => label !== 'Node' && label !== of),
    properties,
    edges,
  }
}
