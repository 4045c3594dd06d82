import { randomUUID } from 'node:crypto'
import { entity } from '@twofold/graph/contract/scene.ts'
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
    return { graph, tenant, poison: (id) => entity(id, 'NUL \u0000 inside'), close }
  })
  graphTests(embeddedStores)
}
