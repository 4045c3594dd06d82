import { createHash, randomUUID } from 'node:crypto'
import type { Memory, RememberInput } from '@twofold/core/memories/memory.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { listen } from '@twofold/local/http/listen.ts'
import { direct } from '@twofold/local/sql/direct.ts'
import { sqlEndpoint } from '@twofold/local/sql/endpoint.ts'
import { type TestDatabase, testDatabase } from '@twofold/local/sql/fixture.ts'
import { openPostgres } from '@twofold/local/sql/postgres.ts'
import { providerServer } from '@twofold/models/fixture.ts'
import { serve } from '@twofold/operation/http.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import { ensureModel } from '@twofold/postgres/ensure-model.ts'
import { migrate, readMigrations } from '@twofold/postgres/migrate.ts'
import pg from 'pg'
import { type Composed, compose } from './deps.ts'
import { readEnv } from './env.ts'
import { operations } from './operations.ts'

const EMBEDDING = 'openai:test-embedding'
const DIMENSIONS = 64
/** A native Postgres with pgvector to run on in place of the embedded one. */
const server = process.env.TEST_DATABASE_URL

export interface Answer {
  status: number
  headers: Headers
  json: any
  text: string
}

export interface Ask {
  /** Null: none at all. */
  key?: string | null
  headers?: Record<string, string>
}

export interface World {
  deps: Deps
  composed: Composed
  /** What a process of its own would be told, so that it works on the same database. */
  variables: Record<string, string>
  /** The model provider, speaking OpenAI's protocol; can be told to fail. */
  provider: Awaited<ReturnType<typeof providerServer>>
  /** Statements as the owner of the database, past every policy. */
  owner(query: string, params?: readonly (string | number)[]): Promise<Record<string, string | null>[]>
  /** A fresh tenant; its calls go with its first admin key unless told otherwise. */
  tenant(): Promise<Tenant>
  /** Turns the service's clock on by so many milliseconds; it goes on from there. */
  pass(ms: number): void
  /** While `work` runs the graph cannot be reached (`down`), or refuses every node (`refusing`). */
  withGraph<T>(state: 'down' | 'refusing', work: () => Promise<T>): Promise<T>
  /** One request as it goes over the wire. */
  request(method: string, path: string, body?: unknown, ask?: Ask): Promise<Answer>
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
  /** Remembers something of `user:alice` unless told otherwise, which must succeed. */
  add(input: RememberInput): Promise<Memory>
  /** Ids that a search of `user:alice` finds, best first. */
  found(query: object): Promise<string[]>
  /** The secret of a new key. */
  keyFor(scopes: string[], namespaces: string[]): Promise<string>
}

/**
 * The whole service in one process for tests: the real routes and drivers over the embedded database (or a
 * native one, by TEST_DATABASE_URL), and a model
 * provider that answers deterministic vectors. Each test file makes one, and each test a tenant of its own.
 */
export async function world(variables: Record<string, string> = {}, over: Partial<Deps> = {}): Promise<World> {
  const database = server ? await nativeDatabase(server) : await embeddedDatabase()
  const provider = await providerServer()
  const told: Record<string, string> = {
    DATABASE_URL: database.url,
    DATABASE_HTTP_URL: database.fetchEndpoint,
    EMBEDDING_MODEL: EMBEDDING,
    EMBEDDING_DIMENSIONS: String(DIMENSIONS),
    LANGUAGE_MODEL: 'openai:test-language',
    OPENAI_BASE_URL: provider.url,
    OPENAI_API_KEY: 'test',
    LOG_LEVEL: 'silent',
    ...variables,
  }
  let ahead = 0
  const composed = await compose(readEnv(told), { now: () => new Date(Date.now() + ahead), ...over })
  const app = serve(operations, composed.surroundings)
  const request = async (method: string, path: string, body?: unknown, { key = null, headers = {} }: Ask = {}): Promise<Answer> => {
    const response = await app.request(path, {
      method,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body:
        body === undefined || typeof body === 'string' || body instanceof Uint8Array ? (body as RequestInit['body']) : JSON.stringify(body),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, json: text.startsWith('{') ? JSON.parse(text) : null }
  }
  return {
    deps: composed.deps,
    composed,
    variables: told,
    provider,
    owner: database.sql,
    request,
    pass(ms) {
      ahead += ms
    },
    async withGraph(state, work) {
      const [before, after] = TROUBLE[state]
      await database.sql(before)
      try {
        return await work()
      } finally {
        await database.sql(after)
      }
    },
    async tenant() {
      const [id, key] = [randomUUID(), `tf_${createHash('sha256').update(randomUUID()).digest('base64url')}`]
      await composed.deps.db.across([sql`select make_tenant(${id}::uuid, ${id}, ${randomUUID()}::uuid, ${hashKey(key)}::bytea, now())`])
      const call: Tenant['call'] = (method, path, body, ask) => request(method, path, body, { key, ...ask })
      return {
        id,
        key,
        call,
        get: (path, ask) => call('GET', path, undefined, ask),
        post: (path, body = {}, ask) => call('POST', path, body, ask),
        patch: (path, body, ask) => call('PATCH', path, body, ask),
        del: (path, ask) => call('DELETE', path, undefined, ask),
        async add(input) {
          const { status, text, json } = await call('POST', '/v1/memories', input.namespace ? input : { userId: 'alice', ...input })
          if (status !== 201) throw new Error(`not remembered: ${text}`)
          return json.memory
        },
        async found(query) {
          const { status, text, json } = await call('POST', '/v1/memories/search', { userId: 'alice', ...query })
          if (status !== 200) throw new Error(`not searched: ${text}`)
          return json.results.map((result: { memory: Memory }) => result.memory.id)
        },
        async keyFor(scopes, namespaces) {
          const { status, text, json } = await call('POST', '/v1/keys', { name: scopes.join(' '), scopes, namespaces })
          if (status !== 201) throw new Error(`no key: ${text}`)
          return json.secret
        },
      }
    },
    async close() {
      await composed.close()
      await provider.close()
      await database.close()
    },
  }
}

async function embeddedDatabase(): Promise<TestDatabase> {
  return testDatabase({ key: JSON.stringify([EMBEDDING, await readMigrations()]), prepare })
}

/** A database of its own on a native Postgres, where transactions really run at the same time. */
async function nativeDatabase(server: string): Promise<TestDatabase> {
  const name = `world_${randomUUID().replaceAll('-', '')}`
  const admin = new pg.Client({ connectionString: server })
  await admin.connect()
  await admin.query(`create database ${name}`)
  const url = Object.assign(new URL(server), { pathname: `/${name}` }).href
  const backend = openPostgres({ url, log: () => undefined })
  const http = await listen({ sql: sqlEndpoint({ backend, connectionString: url }) }, { log: console.error })
  const fetchEndpoint = `${http.url}/sql`
  await prepare({ url, fetchEndpoint })
  return {
    url,
    fetchEndpoint,
    sql: direct(backend),
    async close() {
      await http.close()
      await backend.close()
      await admin.query(`drop database ${name} with (force)`)
      await admin.end()
    },
  }
}

async function prepare({ url, fetchEndpoint }: { url: string; fetchEndpoint: string }): Promise<void> {
  await migrate({ ownerUrl: url, fetchEndpoint })
  await ensureModel({ url, fetchEndpoint }, EMBEDDING, DIMENSIONS)
}

const TROUBLE = {
  down: ['alter table graph.nodes rename to nodes_away', 'alter table graph.nodes_away rename to nodes'],
  refusing: ['alter table graph.nodes add constraint refusing check (false) not valid', 'alter table graph.nodes drop constraint refusing'],
} as const
