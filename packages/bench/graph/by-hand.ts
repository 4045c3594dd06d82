import type { Edge, Projection, Shown } from '@twofold/core/graph/port.ts'
import neo4j, { type Driver } from 'neo4j-driver-lite'
import { slices } from './given.ts'

/** Ways into the graph without a single promise: no fence, no tombstones, nothing about what was there before. */

const DATABASE = 'neo4j'
const int = (n: number) => neo4j.int(n)

/** What a node keeps: the same as the service's. */
export const properties = (tenant: string, { id, subject, revision, bucket, digest: [high, low], properties }: Shown) => ({
  ...Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, Number.isInteger(value) ? int(value as number) : value])),
  ...{ tenant, generation: int(1), id, subject },
  ...{ revision: int(revision), bucket: int(bucket), digestHigh: int(high), digestLow: int(low) },
})
export const edgeProperties = (tenant: string, owner: string, { namespace, confidence }: Edge) => ({
  ...{ tenant, generation: int(1), owner, namespace, confidence },
})

/** A session for each operation, as it is written when each is a function of its own: the memory, each entity, each edge. */
export async function perOperation(driver: Driver, tenant: string, batch: readonly Projection[]): Promise<void> {
  const run = async (text: string, parameters: object) => {
    const session = driver.session({ database: DATABASE })
    try {
      await session.run(text, { tenant, ...parameters })
    } finally {
      await session.close()
    }
  }
  const shown = batch.filter((p) => !p.gone)
  for (const p of shown) await run(p.kind === 'memory' ? CREATE_MEMORY : CREATE_ENTITY, { id: p.id, properties: properties(tenant, p) })
  for (const { id, edges } of shown)
    for (const edge of edges) await run(LINK, { from: edge.from, to: edge.to, properties: edgeProperties(tenant, id, edge) })
}

const CREATE_MEMORY = 'MERGE (m:Node {tenant: $tenant, generation: 1, id: $id}) SET m:Memory, m = $properties'
const CREATE_ENTITY = 'MERGE (e:Node {tenant: $tenant, generation: 1, id: $id}) SET e:Entity, e = $properties'
const LINK = `MATCH (m:Node {tenant: $tenant, generation: 1, id: $from}), (e:Node {tenant: $tenant, generation: 1, id: $to})
  MERGE (m)-[r:MENTIONS]->(e) SET r = $properties`

/** One statement for so many memories and what they mention, in one transaction: the least that anybody could write by hand. */
export async function unwound(driver: Driver, tenant: string, batch: readonly Projection[], memoriesEach: number): Promise<void> {
  const session = driver.session({ database: DATABASE })
  try {
    for (const memories of slices(memoriesOf(tenant, batch), memoriesEach)) await session.run(UNWIND, { tenant, memories })
  } finally {
    await session.close()
  }
}

const UNWIND = `UNWIND $memories AS memory
  MERGE (m:Node {tenant: $tenant, generation: 1, id: memory.id}) SET m:Memory, m = memory.properties
  WITH m, memory UNWIND memory.entities AS entity
  MERGE (e:Node {tenant: $tenant, generation: 1, id: entity.id}) SET e:Entity, e = entity.properties
  MERGE (m)-[r:MENTIONS]->(e) SET r = entity.edge`

function memoriesOf(tenant: string, batch: readonly Projection[]) {
  const shown = batch.filter((p) => !p.gone)
  const byId = new Map(shown.map((p) => [p.id, p]))
  return shown
    .filter(({ kind }) => kind === 'memory')
    .map((memory) => ({
      id: memory.id,
      properties: properties(tenant, memory),
      entities: memory.edges.map((edge) => ({
        id: edge.to,
        properties: properties(tenant, byId.get(edge.to) as Shown),
        edge: edgeProperties(tenant, memory.id, edge),
      })),
    }))
}
