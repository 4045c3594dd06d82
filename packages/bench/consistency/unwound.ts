import type { Shown } from '@twofold/core/graph/port.ts'
import neo4j, { type Driver } from 'neo4j-driver-lite'
import { edgeProperties, properties } from '../graph/by-hand.ts'
import { slices } from '../graph/given.ts'

/** As many as a projection has: most for the graph, few enough for one transaction. */
export const ROWS = 500

/** The same rows as anybody would write them: nodes by their labels, then edges by their types, so many in each transaction. */
export async function unwound(driver: Driver, tenant: string, rows: readonly Shown[]): Promise<void> {
  const session = driver.session({ database: 'neo4j' })
  const run = async (text: string, list: readonly object[]) => {
    for (const rows of slices(list, ROWS)) await session.run(text, { tenant, generation: neo4j.int(1), rows })
  }
  try {
    for (const [label, same] of Map.groupBy(rows, ({ kind, labels }) => [LABELS[kind], ...labels].join(':'))) {
      await run(
        `UNWIND $rows AS row MERGE (n:Node {tenant: $tenant, generation: $generation, id: row.id}) SET n:${label}, n = row.properties`,
        same.map((row) => ({ id: row.id, properties: properties(tenant, row) })),
      )
    }
    const edges = rows.flatMap(({ id, edges }) => edges.map((edge) => ({ ...edge, owner: id })))
    for (const [type, same] of Map.groupBy(edges, ({ type }) => type)) {
      await run(
        `UNWIND $rows AS row
        MATCH (a:Node {tenant: $tenant, generation: $generation, id: row.from})
        MATCH (b:Node {tenant: $tenant, generation: $generation, id: row.to})
        CREATE (a)-[r:${type}]->(b) SET r = row.properties`,
        same.map((edge) => ({
          from: edge.from,
          to: edge.to,
          properties: { ...edgeProperties(tenant, edge.owner, edge), ...(edge.relation === '' ? {} : { type: edge.relation }) },
        })),
      )
    }
  } finally {
    await session.close()
  }
}

const LABELS = { memory: 'Memory', entity: 'Entity', session: 'Session' }
