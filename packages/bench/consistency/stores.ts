import { sql } from '@twofold/core/sql.ts'
import neo4j, { type Driver } from 'neo4j-driver-lite'
import { type Inside, type Neo4jPlace, neo4jVariables, openInside, type Servers } from '../graph/stores.ts'
import type { Witness } from '../graph/witness.ts'
import { bareOfLedger, bareOfNeo4j, bareOfTables } from './bare.ts'
import type { Bare } from './cost.ts'
import type { Damage } from './repairs.ts'

/** The service with one of its graphs, and what is done to that beside it. */
export interface Store {
  name: string
  inside: Inside
  /** Where else it can be written to by hand. */
  neo4j?: { driver: Driver; place: Neo4jPlace }
  bare(tenant: string): Bare
  damage(tenant: string): Damage
}

/** Both with the truth in a database of their own on the same native Postgres. */
export async function openStores(servers: Servers, witness: Witness): Promise<Store[]> {
  const inNeo4j = await openInside({ DATABASE_URL: await servers.database(), ...neo4jVariables(servers.neo4j) })
  const inTables = await openInside({ DATABASE_URL: await servers.database() })
  const ask = (text: string, parameters: object) => witness.driver.executeQuery(text, parameters, { database: 'neo4j' })
  return [
    {
      name: 'Neo4j',
      inside: inNeo4j,
      neo4j: { driver: witness.driver, place: servers.neo4j },
      bare: (tenant) => ({
        postgres: () => bareOfLedger(inNeo4j.deps.db, tenant),
        graph: () => bareOfNeo4j(witness.driver, tenant),
      }),
      damage: (tenant) => (ids) =>
        ask(`unwind $ids as id match (n:Node {tenant: $tenant, generation: $generation, id: id}) set n.digestHigh = n.digestHigh + 1`, {
          tenant,
          generation: neo4j.int(1),
          ids,
        }),
    },
    {
      name: 'tables in Postgres',
      inside: inTables,
      bare: (tenant) => ({
        postgres: () => bareOfLedger(inTables.deps.db, tenant),
        graph: () => bareOfTables(inTables.deps.db, tenant),
      }),
      damage: (tenant) => (ids) =>
        inTables.deps.db.asTenant(tenant, [
          sql`update graph.nodes set digest_high = digest_high + 1
            where tenant_id = twofold.current_tenant() and generation = 1 and id = any(${ids}::uuid[])`,
        ]),
    },
  ]
}
