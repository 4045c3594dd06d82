import type { Database } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import neo4j, { type Driver } from 'neo4j-driver-lite'

/** One aggregate on each side: counts, digests and degrees by bucket of who asserts the edges, and nothing that a check does with them. */
export const bareOfLedger = (db: Database, tenant: string): Promise<unknown> =>
  db.asTenant(tenant, [
    sql`select bucket, count(*) as nodes, sum(digest_high) as high, sum(digest_low) as low, sum(degree) as edges
      from ledger where tenant_id = current_tenant() group by bucket`,
  ])

export const bareOfTables = (db: Database, tenant: string): Promise<unknown> =>
  db.asTenant(tenant, [
    sql`select bucket, count(*) as nodes, sum(digest_high) as high, sum(digest_low) as low
      from graph.nodes where tenant_id = twofold.current_tenant() and generation = 1 group by bucket`,
    sql`select twofold.bucket_of(owner) as bucket, count(*) as edges
      from graph.edges where tenant_id = twofold.current_tenant() and generation = 1 group by 1`,
  ])

export async function bareOfNeo4j(driver: Driver, tenant: string): Promise<void> {
  const session = driver.session({ database: 'neo4j', defaultAccessMode: 'READ' })
  try {
    for (const text of BARE) await session.run(text, { tenant, generation: neo4j.int(1) })
  } finally {
    await session.close()
  }
}

const OF_TENANT = 'cypher 5 match (n:Node) where n.tenant = $tenant and n.generation = $generation'
const BARE = [
  `${OF_TENANT} return n.bucket as bucket, count(*) as nodes, sum(n.digestHigh) as high, sum(n.digestLow) as low`,
  `${OF_TENANT} match (n)-[r]->() return right(r.owner, 3) as bucket, count(*) as edges`,
]
