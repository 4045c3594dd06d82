import { disabledGraph } from '@twofold/graph/disabled.ts'
import { postgresGraph } from '@twofold/graph/postgres/graph.ts'
import { breakerOf, retryOf } from '../breakers.ts'
import type { Env } from '../env.ts'
import type { Ground, Part } from '../needs.ts'

/** Connections opened at once and at most: a container of Lambda serves one request at a time. */
const POOLS = { lambda: { min: 1, max: 5 }, process: { min: 10, max: 50 } }

/** Neo4j where there is one, and its driver loaded only then; else tables beside the truth. */
export const graph: Part<'graph'> = {
  name: 'graph',
  async open(env, ground) {
    const port = await graphOf(env, ground)
    return { port, close: () => port.close() }
  },
}

async function graphOf(env: Env, { db, now, log, telemetry }: Ground) {
  if (!env.ENABLE_GRAPH_STORE) return disabledGraph({ now })
  if (env.NEO4J_URI === undefined) return postgresGraph({ db, now })
  const { neo4jGraph } = await import('@twofold/graph/neo4j/graph.ts')
  const usual = env.AWS_LAMBDA_FUNCTION_NAME === undefined ? POOLS.process : POOLS.lambda
  const max = env.NEO4J_POOL_MAX ?? usual.max
  return neo4jGraph({
    ...neo4jOf(env, env.NEO4J_URI),
    pool: { min: Math.min(env.NEO4J_POOL_MIN ?? usual.min, max), max },
    breaker: breakerOf(env, 'neo4j'),
    retry: retryOf(env),
    now,
    log,
    count: (what) => telemetry.count('twofold_graph_total', { what }),
  })
}

/** How this configuration reaches Neo4j. */
export const neo4jOf = (env: Env, uri: string) => ({
  uri,
  username: env.NEO4J_USERNAME,
  password: env.NEO4J_PASSWORD,
  database: env.NEO4J_DATABASE,
})
