import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Deps } from '@twofold/core/ports.ts'
import { compose } from '@twofold/functions/deps.ts'
import { readEnv } from '@twofold/functions/env.ts'
import { migrateGraph } from '@twofold/graph/neo4j/graph.ts'
import { serveApi } from '@twofold/local/http/api.ts'
import { openPostgres as openSql } from '@twofold/local/sql/postgres.ts'
import { openWire } from '@twofold/local/wire.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import { ensureModel } from '@twofold/postgres/ensure-model.ts'
import { migrate } from '@twofold/postgres/migrate.ts'
import { openNeo4j, openPostgres } from '@twofold/servers/servers.ts'
import { type Client, clientOf } from '../client.ts'

export interface Neo4jPlace {
  uri: string
  username: string
  password: string
}

/** The servers that everything here is measured on, of their own and kept through the death of the machine. */
export interface Servers {
  neo4j: Neo4jPlace
  /** The URL of a new database, so that nobody finds another's rows. */
  database(): Promise<string>
  close(): Promise<void>
}

export async function openServers(folder: string): Promise<Servers> {
  await mkdir(folder, { recursive: true })
  const postgres = await openPostgres({ folder: join(folder, 'postgres'), durable: true })
  try {
    const neo4j = await openNeo4j({ folder: join(folder, 'neo4j'), durable: true })
    const place = { uri: neo4j.url, username: neo4j.username, password: neo4j.password }
    await migrateGraph({ ...place, database: 'neo4j' })
    return {
      neo4j: place,
      async database() {
        const name = `bench_${randomBytes(4).toString('hex')}`
        const backend = openSql({ url: postgres.url, log: () => undefined })
        await backend.single({ query: `create database ${name}`, params: [] })
        await backend.close()
        return Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href
      },
      close: async () => void (await Promise.all([neo4j.stop(), postgres.stop()])),
    }
  } catch (error) {
    await postgres.stop()
    throw error
  }
}

/** The service in this process, without those who bring what is owed into the graph by themselves: that is measured. */
export interface Inside {
  deps: Deps
  tenant(): Promise<{ id: string; client: Client }>
  /** The ids that the queue was told of since the last call, as its messages name them. */
  nudged(): { tenant: string; ids: string[] }[]
  close(): Promise<void>
}

/** `variables` name the real parts; without DATABASE_URL the embedded store, in memory. */
export async function openInside(variables: Record<string, string>): Promise<Inside> {
  const log = (message: string) => void process.stderr.write(`${message}\n`)
  const secret = randomBytes(16).toString('hex')
  const wire = await openWire({ folder: null, databaseUrl: variables.DATABASE_URL, redisBytes: 64e6, queues: {}, secret, log })
  await migrate({ ownerUrl: wire.owner.url, fetchEndpoint: wire.owner.fetchEndpoint, url: variables.DATABASE_URL })
  const env = readEnv({ ...variables, DATABASE_URL: wire.database.url, DATABASE_HTTP_URL: wire.database.fetchEndpoint })
  const nudged: { tenant: string; ids: string[] }[] = []
  const composed = await compose(env, { queue: { nudge: async (tenant, ids) => void nudged.push({ tenant, ids: [...ids] }) } })
  const { deps } = composed
  await ensureModel(wire.owner, deps.embedder.model, deps.embedder.dimensions)
  const serving = await serveApi(composed, 0)
  return {
    deps,
    async tenant() {
      const [id, key] = [deps.id(), deps.secret()]
      const hash = `\\x${hashKey(key).toString('hex')}`
      await wire.sql('select twofold.ensure_tenant($1::uuid, $2, $3::uuid, $4::bytea, now())', [id, id, deps.id(), hash])
      return { id, client: clientOf({ url: serving.url, key }) }
    },
    nudged: () => nudged.splice(0),
    async close() {
      await serving.close()
      await composed.close()
      await wire.close()
    },
  }
}

export const neo4jVariables = ({ uri, username, password }: Neo4jPlace) => ({
  NEO4J_URI: uri,
  NEO4J_USERNAME: username,
  NEO4J_PASSWORD: password,
})
