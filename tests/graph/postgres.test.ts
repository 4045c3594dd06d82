import { randomUUID } from 'node:crypto'
import { entity, graphContract } from '@twofold/graph/contract.ts'
import { postgresGraph } from '@twofold/graph/postgres/graph.ts'
import { migratedDatabase } from '../database.ts'
import { makeTenant } from './world.ts'

graphContract('the graph in Postgres tables', async () => {
  const { db, close } = await migratedDatabase()
  return {
    graph: postgresGraph({ db, now: () => new Date() }),
    tenant: async () => (await makeTenant(db, randomUUID())).tenant,
    poison: (id) => entity(id, 'NUL \u0000 inside'),
    close,
  }
})
