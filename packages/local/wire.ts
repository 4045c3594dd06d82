import { retry } from '@twofold/resilience/retry.ts'
import { listen } from './http/listen.ts'
import { queueEndpoint } from './queue/endpoint.ts'
import { openQueueTable, type QueueSettings } from './queue/table.ts'
import { reasonOf } from './reason.ts'
import { redisEndpoint } from './redis/endpoint.ts'
import { memoryStore } from './redis/memory.ts'
import { openRedis } from './redis/server.ts'
import type { SqlBackend } from './sql/backend.ts'
import { direct, type Sql } from './sql/direct.ts'
import { sqlEndpoint } from './sql/endpoint.ts'
import { openPglite } from './sql/pglite.ts'
import { openPostgres } from './sql/postgres.ts'

export interface WireOptions {
  /** The embedded store's folder; null keeps it in memory. */
  folder: string | null
  /** Any Postgres in its place. */
  databaseUrl?: string | undefined
  /** Who owns its schema, when that is somebody else. */
  ownerUrl?: string | undefined
  /** A real Redis in place of the one in memory. */
  redisUrl?: string | undefined
  /** Bound of the Redis in memory. */
  redisBytes: number
  /** Queues by name. */
  queues: Record<string, QueueSettings>
  /** Random, and the same for everybody who shall be let in: password, token and access key of what is served here. */
  secret: string
  /** A fixed loopback port, for other processes; any free one without it. */
  port?: number | undefined
  log(message: string): void
}

export interface Wire {
  /** `http://127.0.0.1:<port>`, under which everything below is. */
  url: string
  /** What the functions connect to. */
  database: { url: string; fetchEndpoint: string }
  /** The same as the owner of the schema; for migrations. */
  owner: { url: string; fetchEndpoint: string }
  /** As the owner, without the way over HTTP; for the scheduler. */
  sql: Sql
  /** Of the embedded store: whether it was made just now, and how long it took to open. Null for another Postgres. */
  store: { created: boolean; openedMs: number } | null
  redis: { url: string; token: string }
  sqs: { credentials: { accessKeyId: string; secretAccessKey: string }; region: string; urlOf(queue: string): string }
  /** Stops accepting, lets running requests finish, closes the stores. */
  close(): Promise<void>
}

/** Everything the cloud gives, behind one loopback server: SQL as Neon serves it, Redis as Upstash does, queues as SQS does. */
export async function openWire(options: WireOptions): Promise<Wire> {
  const { secret, queues, log } = options
  const opened: { close(): Promise<void> }[] = []
  const close = async () => {
    for (const each of opened.splice(0).reverse()) await each.close()
  }
  const keep = <T extends { close(): Promise<void> }>(each: T): T => {
    opened.push(each)
    return each
  }
  try {
    const embedded = options.databaseUrl === undefined ? keep(await openPglite({ folder: options.folder ?? undefined, log })) : null
    const backend = embedded ?? keep(await reached('DATABASE_URL', openPostgres({ url: options.databaseUrl as string, log })))
    const store = keep(
      options.redisUrl === undefined ? memoryStore({ maxBytes: options.redisBytes }) : await openRedis({ url: options.redisUrl, log }),
    )
    const owner =
      options.ownerUrl === undefined
        ? backend
        : keep(await reached('DATABASE_OWNER_URL', openPostgres({ url: options.ownerUrl, most: OWNERS, log })))
    const sql = direct(owner)
    const connectionString = `postgresql://twofold:${secret}@localhost/twofold`
    const queue = queueEndpoint({ table: await openQueueTable(sql), queues, accessKeyId: secret })
    const endpoints = {
      sql: sqlEndpoint({ backend, connectionString }),
      owner: sqlEndpoint({ backend: owner, connectionString }),
      redis: redisEndpoint({ store, token: secret }),
      queue,
      '': queue,
    }
    const { url } = keep(await listen(endpoints, { port: options.port, log }))
    return {
      url,
      database: { url: connectionString, fetchEndpoint: `${url}/sql` },
      owner: { url: connectionString, fetchEndpoint: `${url}/owner` },
      sql,
      store: embedded && { created: embedded.created, openedMs: embedded.openedMs },
      redis: { url: `${url}/redis`, token: secret },
      sqs: { credentials: { accessKeyId: secret, secretAccessKey: secret }, region: 'local', urlOf: (name) => `${url}/queue/${name}` },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Connections of the owner beside those of the service. */
const OWNERS = 20

/** A database that sleeps when nobody uses it takes longer to answer first than a connection may later. */
const WAKING = { attempts: 5, delayMs: 500 }
const maySleep = (error: unknown) => /timeout/i.test((error as Error).message) || (error as { code?: string }).code === '57P03'

/** Throws one sentence that names the variable when nobody answers. */
async function reached(variable: string, backend: SqlBackend): Promise<SqlBackend> {
  try {
    await retry(WAKING, { again: maySleep, onRetry: () => undefined }, () => backend.single({ query: 'select 1', params: [] }))
    return backend
  } catch (error) {
    await backend.close()
    throw new Error(`Postgres at ${variable} cannot be reached: ${reasonOf(error)}`)
  }
}
