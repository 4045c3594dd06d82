import { randomUUID } from 'node:crypto'
import type { Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { type Composed, compose } from '@twofold/functions/deps.ts'
import { readEnv } from '@twofold/functions/env.ts'
import { holdAudit } from '@twofold/functions/fixture.ts'
import { serveApi } from '@twofold/local/http/api.ts'
import { listen } from '@twofold/local/http/listen.ts'
import { redisEndpoint } from '@twofold/local/redis/endpoint.ts'
import { memoryStore, type RedisStore } from '@twofold/local/redis/memory.ts'
import { testDatabase } from '@twofold/local/sql/fixture.ts'
import { providerServer } from '@twofold/models/fixture.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import { ensureModel } from '@twofold/postgres/ensure-model.ts'
import { migrate, readMigrations } from '@twofold/postgres/migrate.ts'
import { type Client, client } from './client.ts'
import { type Cutter, proxy } from './proxy.ts'

const MODEL = 'openai:test-embedding'
export const DIMENSIONS = 64

export interface Tenant extends Client {
  id: string
  key: string
}

export interface Hosted {
  url: string
  deps: Deps
  /** What stands between the service and its stores. */
  database: Cutter
  redis: Cutter
  redisStore: RedisStore
  provider: Awaited<ReturnType<typeof providerServer>>
  /** One statement as the owner of the database, past every policy and every proxy. */
  owner(query: string, params?: readonly (string | number)[]): Promise<Record<string, string | null>[]>
  /** A fresh tenant, asked with its admin key over HTTP. */
  tenant(): Promise<Tenant>
  close(): Promise<void>
}

/**
 * The API over HTTP in this process, so that a test can stand between it and its stores: a database in memory and a
 * Redis behind proxies, a model provider that can be told to fail. No queue consumer and no schedules: a test runs those
 * of which it speaks.
 */
export async function hosted(over: Partial<Deps> = {}, variables: Record<string, string> = {}): Promise<Hosted> {
  const migrations = await readMigrations()
  const store = await testDatabase({
    key: JSON.stringify(['hosted', migrations]),
    async prepare({ url, owner }) {
      await migrate({ ownerUrl: owner.url, fetchEndpoint: owner.fetchEndpoint, url })
      await ensureModel(owner, MODEL, DIMENSIONS)
    },
  })
  const redisStore = memoryStore({ maxBytes: 10_000_000 })
  const redisServer = await listen({ redis: redisEndpoint({ store: redisStore, token: 'test' }) }, { log: console.error })
  const database = await proxy(store.fetchEndpoint)
  const redis = await proxy(`${redisServer.url}/redis`)
  const provider = await providerServer()
  const composed: Composed = await compose(
    readEnv({
      DATABASE_URL: store.url,
      DATABASE_HTTP_URL: database.url,
      UPSTASH_REDIS_REST_URL: redis.url,
      UPSTASH_REDIS_REST_TOKEN: 'test',
      EMBEDDING_MODEL: MODEL,
      EMBEDDING_DIMENSIONS: String(DIMENSIONS),
      OPENAI_BASE_URL: provider.url,
      OPENAI_API_KEY: 'test',
      LANGUAGE_MODEL: 'openai:test-language',
      RETRY_DELAY_MS: '1',
      LOG_LEVEL: 'silent',
      ...variables,
    }),
    over,
  )
  holdAudit(composed)
  const serving = await serveApi(composed, 0)
  return {
    url: serving.url,
    deps: composed.deps,
    database,
    redis,
    redisStore,
    provider,
    owner: store.sql,
    async tenant() {
      const [id, key] = [randomUUID(), `tf_${randomUUID()}`]
      await composed.deps.db.across([sql`select make_tenant(${id}::uuid, ${id}, ${randomUUID()}::uuid, ${hashKey(key)}::bytea, now())`])
      return { id, key, ...client(serving.url, key) }
    },
    async close() {
      await serving.close()
      await composed.close()
      await Promise.all([database.close(), redis.close(), provider.close()])
      await redisServer.close()
      await store.close()
    },
  }
}
