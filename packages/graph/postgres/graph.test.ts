import { entity, graphContract } from '../contract.ts'
import { graphDatabase } from '../fixture.ts'
import { postgresGraph } from './graph.ts'

graphContract('the graph in Postgres tables', async () => {
  const { db, tenant, close } = await graphDatabase()
  return {
    graph: postgresGraph({ db, now: () => new Date() }),
    tenant: async () => (await tenant()).tenant,
    poison: (id) => entity(id, 'NUL \u0000 inside'),
    close,
  }
})
