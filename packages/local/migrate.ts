import { parseArgs } from 'node:util'
import { makeTenant } from '@twofold/core/tenants/tenants.ts'
import { compose } from '@twofold/functions/deps.ts'
import { type Env, readEnv } from '@twofold/functions/env.ts'
import { neo4jOf } from '@twofold/functions/parts/graph.ts'
import { envAt } from '@twofold/functions/places.ts'
import { migrateGraph } from '@twofold/graph/neo4j/graph.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { ensureModel } from '@twofold/postgres/ensure-model.ts'
import { migrate } from '@twofold/postgres/migrate.ts'

const USAGE = `npm run migrate -- [--tenant <name>]
  Brings the stores of every place up to this code, before traffic comes to it: the schema of Postgres, the index of the embedding
  model, and the constraints of Neo4j. Safe to run again, and while an older version serves.
  --tenant <name>  makes this tenant too, unless it is there, and prints its first admin key, which is shown once
Reads the variables of the service; DATABASE_OWNER_URL (of a place in PLACES its own) is who owns the schema, where DATABASE_URL does not.`

const say = (line: string) => process.stdout.write(`${line}\n`)

/** One database with the graph that belongs to it. */
async function bring(env: Env, ownerUrl: string): Promise<void> {
  const owner = { url: ownerUrl, fetchEndpoint: env.DATABASE_HTTP_URL }
  const applied = await migrate({ ownerUrl, url: env.DATABASE_URL, ...(env.DATABASE_HTTP_URL && { fetchEndpoint: env.DATABASE_HTTP_URL }) })
  say(`Postgres: ${applied.length === 0 ? 'up to date' : `applied ${applied.join(', ')}`}`)
  const made = await compose(env)
  try {
    const { embedder } = made.deps
    await ensureModel(owner, embedder.model, embedder.dimensions)
    say(`Postgres: vectors of ${embedder.model} with ${embedder.dimensions} dimensions are indexed`)
  } finally {
    await made.close()
  }
  if (env.NEO4J_URI === undefined || !env.ENABLE_GRAPH_STORE) return
  const numbers = await migrateGraph(neo4jOf(env, env.NEO4J_URI))
  say(`Neo4j: ${numbers.length === 0 ? 'up to date' : `applied ${numbers.join(', ')}`}`)
}

/** Made over the connection that the service itself will use, so that a login which may not act for it is found out here. */
async function first(env: Env, name: string): Promise<void> {
  const made = await compose(env)
  try {
    const { secret } = await makeTenant(made.deps, name)
    say(`The first admin key of ${name}, shown this once:`)
    say(secret)
  } catch (error) {
    if (!(error instanceof Refusal && error.code === 'conflict')) throw error
    say(`The tenant ${name} is there already; its keys are not shown again.`)
  } finally {
    await made.close()
  }
}

const { DATABASE_OWNER_URL, ...variables } = process.env
try {
  const { values } = parseArgs({ options: { tenant: { type: 'string' }, help: { type: 'boolean', default: false } } })
  if (values.help) say(USAGE)
  else {
    const env = readEnv(variables)
    await bring(env, DATABASE_OWNER_URL || env.DATABASE_URL)
    for (const [name, place] of Object.entries(env.PLACES)) {
      say(`${name}:`)
      await bring(envAt(env, name), place.DATABASE_OWNER_URL ?? place.DATABASE_URL)
    }
    if (values.tenant) await first(env, values.tenant)
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
