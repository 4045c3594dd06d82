import { realGraph } from '@twofold/graph/neo4j/real.fixture.ts'
import { crowded, type OpenStores } from './stores.ts'

/** The graph in the Neo4j that the tests are given, the truth wherever they keep it. */
export const neo4jStores: OpenStores = async (now) => {
  const database = await crowded()
  const graph = realGraph({ now })
  return {
    ...database,
    graph,
    async close() {
      await graph.close()
      await database.close()
    },
  }
}
