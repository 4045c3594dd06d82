import { randomUUID } from 'node:crypto'
import { sql } from '@twofold/core/sql.ts'
import { entity, uuid } from '@twofold/graph/contract/scene.ts'
import { graphContract } from '@twofold/graph/contract.ts'
import { postgresGraph } from '@twofold/graph/postgres/graph.ts'
import { crowded, type OpenStores } from './stores.ts'
import { graphTests } from './suites.ts'
import { makeTenant } from './world.ts'

/** The graph in the database's own tables. */
export const embeddedStores: OpenStores = async (now) => {
  const database = await crowded()
  return { ...database, graph: postgresGraph({ db: database.db, now }) }
}

export function embeddedTests(): void {
  graphContract('the graph in Postgres tables', async () => {
    const { graph, db, close } = await embeddedStores(() => new Date())
    const tenant = async () => (await makeTenant(db, randomUUID())).tenant
    const stray = async (tenant: string, generation: number) => {
      await db.asTenant(tenant, [
        sql`insert into graph.edges (tenant_id, generation, owner, type, from_id, to_id, relation, namespace, confidence)
          values (twofold.current_tenant(), ${generation}::int, ${uuid(990)}::uuid, 'MENTIONS', ${uuid(1)}::uuid, ${uuid(2)}::uuid, '', 'user:ada', 1)`,
      ])
    }
    return { graph, tenant, poison: (id) => entity(id, 'NUL \u0000 inside'), stray, close }
  })
  graphTests(embeddedStores)
}
