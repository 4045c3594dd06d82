import { createHash, randomUUID } from 'node:crypto'
import type { Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { testDatabase } from '@twofold/local/sql/fixture.ts'
import { providerServer } from '@twofold/models/fixture.ts'
import { serve } from '@twofold/operation/http.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import { migrate, readMigrations } from '@twofold/postgres/migrate.ts'
import { type Composed, compose } from './deps.ts'
import { readEnv } from './env.ts'
import { operations } from './operations.ts'

export interface Answer {
  status: number
  headers: Headers
  json: any
  text: string
}

export interface Ask {
  key?: string | null
  headers?: Record<string, string>
}

export interface World {
  deps: Deps
  composed: Composed
  /** The model provider, speaking OpenAI's protocol; can be told to fail. */
  provider: Awaited<ReturnType<typeof providerServer>>
  /** Statements as the owner of the database, past every policy. */
  owner(query: string, params?: readonly (string | number)[]): Promise<Record<string, string | null>[]>
  /** A fresh tenant; its calls go with its first admin key unless told otherwise. */
  tenant(): Promise<Tenant>
  close(): Promise<void>
}

export interface Tenant {
  id: string
  key: string
  call(method: string, path: string, body?: unknown, ask?: Ask): Promise<Answer>
  get(path: string, ask?: Ask): Promise<Answer>
  post(path: string, body?: unknown, ask?: Ask): Promise<Answer>
  patch(path: string, body: unknown, ask?: Ask): Promise<Answer>
  del(path: string, ask?: Ask): Promise<Answer>
}

/**
 * The whole service in one process for tests: the real routes and drivers over the embedded database, and a model
 * provider that answers deterministic vectors. Each test file makes one, and each test a tenant of its own.
 */
export async function world(variables: Record<string, string> = {}, over: Partial<Deps> = {}): Promise<World> {
  const migrations = await readMigrations()
  const database = await testDatabase({
    key: JSON.stringify(migrations),
    prepare: async ({ url, fetchEndpoint }) => void (await migrate({ ownerUrl: url, fetchEndpoint })),
  })
  const provider = await providerServer()
  const env = readEnv({
    DATABASE_URL: database.url,
    DATABASE_HTTP_URL: database.fetchEndpoint,
    EMBEDDING_MODEL: 'openai:test-embedding',
    EMBEDDING_DIMENSIONS: '64',
    OPENAI_BASE_URL: provider.url,
    OPENAI_API_KEY: 'test',
    LOG_LEVEL: 'silent',
    ...variables,
  })
  const composed = await compose(env, over)
  const app = serve(operations, composed.surroundings)
  const request = async (key: string, method: string, path: string, body?: unknown, ask: Ask = {}): Promise<Answer> => {
    const bearer = ask.key === undefined ? key : ask.key
    const response = await app.request(path, {
      method,
      headers: {
        ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...ask.headers,
      },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, json: text.startsWith('{') ? JSON.parse(text) : null }
  }
  return {
    deps: composed.deps,
    composed,
    provider,
    owner: database.sql,
    async tenant() {
      const [id, key] = [randomUUID(), `tf_${createHash('sha256').update(randomUUID()).digest('base64url')}`]
      await composed.deps.db.across([sql`select make_tenant(${id}::uuid, ${id}, ${randomUUID()}::uuid, ${hashKey(key)}::bytea, now())`])
      return {
        id,
        key,
        call: (method, path, body, ask) => request(key, method, path, body, ask),
        get: (path, ask) => request(key, 'GET', path, undefined, ask),
        post: (path, body = {}, ask) => request(key, 'POST', path, body, ask),
        patch: (path, body, ask) => request(key, 'PATCH', path, body, ask),
        del: (path, ask) => request(key, 'DELETE', path, undefined, ask),
      }
    },
    async close() {
      await composed.close()
      await provider.close()
      await database.close()
    },
  }
}
