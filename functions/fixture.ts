import { createHash, randomUUID } from 'node:crypto'
import { GraphStoreError } from '@twofold/core/failures.ts'
import type { GraphPort } from '@twofold/core/graph/port.ts'
import type { RememberInput } from '@twofold/core/memories/input.ts'
import type { Memory } from '@twofold/core/memories/memory.ts'
import type { Deps, Noted } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { type TestDatabase, testDatabase } from '@twofold/local/sql/fixture.ts'
import { providerServer } from '@twofold/models/fixture.ts'
import { serve } from '@twofold/operation/http.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import { ensureModel } from '@twofold/postgres/ensure-model.ts'
import { migrate, readMigrations } from '@twofold/postgres/migrate.ts'
import { lineTo } from '../tests/line.ts'
import { type Composed, compose } from './deps.ts'
import { readEnv } from './env.ts'
import { mcpEndpoint } from './mcp.ts'
import { operations } from './operations.ts'
import { schedules } from './schedules/schedules.ts'

const EMBEDDING = 'openai:test-embedding'
const DIMENSIONS = 64

/** What the model owes has a test of its own; and whoever looks at the whole graph would find what a test left there. */
const APART = ['reembed', 'sync', 'nightly', 'measure']

/** One round of what no request waits for: every schedule once, one after the other. */
export async function sweep(deps: Deps): Promise<Record<string, unknown>> {
  let done = {}
  for (const run of schedules) if (!APART.includes(run.declared.name)) done = { ...done, ...((await run(deps)()) as object) }
  return done
}

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
  /** The same as `fetch`, for clients that bring their own requests. */
  fetch(input: string | URL, init?: RequestInit): Promise<Response>
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
 * The whole service in one process for tests: the real routes and drivers over the embedded database and graph (or a
 * native Postgres by TEST_DATABASE_URL and a Neo4j by TEST_NEO4J_URI), and a model provider that answers deterministic
 * vectors. With NEO4J_URI empty the graph is the tables beside the truth in any case. Each test file makes one, and each test a tenant of its own.
 */
export async function world(variables: Record<string, string> = {}, over: Partial<Deps> = {}): Promise<World> {
  const database = await migratedDatabase()
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
  const now = () => new Date(Date.now() + ahead)
  const neo4j = told.NEO4J_URI === undefined && told.ENABLE_GRAPH_STORE !== 'false' ? await neo4jOfTests(now) : null
  const composed = await compose(readEnv(told), { now, ...(neo4j && { graph: neo4j.graph }), ...over })
  holdAudit(composed)
  const app = serve(operations, composed.surroundings, { '/mcp': mcpEndpoint(composed.surroundings) })
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
    variables: { ...told, ...neo4j?.variables },
    provider,
    owner: database.sql,
    fetch: async (input, init) => app.request(String(input), init),
    request,
    pass(ms) {
      ahead += ms
    },
    async withGraph(state, work) {
      const trouble = (neo4j?.trouble ?? troubleOfTables(database))[state]
      await trouble.begin()
      try {
        return await work()
      } finally {
        await trouble.end()
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
      await neo4j?.close()
      await provider.close()
      await database.close()
    },
  }
}

/** A database with the whole schema and the index of the model that these tests embed with. */
export async function migratedDatabase(): Promise<TestDatabase> {
  return testDatabase({
    key: JSON.stringify([EMBEDDING, await readMigrations()]),
    async prepare({ url, owner }) {
      await migrate({ ownerUrl: owner.url, fetchEndpoint: owner.fetchEndpoint, url })
      await ensureModel(owner, EMBEDDING, DIMENSIONS)
    },
  })
}

/** Has what is read noted in the audit when a test says so (`flush`), and not in the middle of another's count. */
export function holdAudit({ deps }: Composed): void {
  const { note, flush } = deps.audit
  const held: Noted[] = []
  deps.audit = {
    note: (entry) => void held.push(entry),
    async flush() {
      held.splice(0).forEach(note)
      await flush()
    },
  }
}

type Trouble = Record<'down' | 'refusing', { begin(): Promise<unknown>; end(): Promise<unknown> }>

const troubleOfTables = ({ sql }: TestDatabase): Trouble => ({
  down: {
    begin: () => sql('alter table graph.nodes rename to nodes_away'),
    end: () => sql('alter table graph.nodes_away rename to nodes'),
  },
  refusing: {
    begin: () => sql('alter table graph.nodes add constraint refusing check (false) not valid'),
    end: () => sql('alter table graph.nodes drop constraint refusing'),
  },
})

/** The Neo4j that TEST_NEO4J_URI names, by a line of this world's own that can be cut; null without one. */
async function neo4jOfTests(now: () => Date) {
  const { TEST_NEO4J_URI, TEST_NEO4J_USERNAME = 'neo4j', TEST_NEO4J_PASSWORD } = process.env
  if (!TEST_NEO4J_URI) return null
  const { neo4jGraph } = await import('@twofold/graph/neo4j/graph.ts')
  const line = await lineTo(TEST_NEO4J_URI)
  await line.open()
  const real = neo4jGraph({
    ...{ uri: line.url, username: TEST_NEO4J_USERNAME, password: TEST_NEO4J_PASSWORD, database: 'neo4j' },
    pool: { min: 1, max: 10 },
    // Never opens: the next test begins where the line is whole again.
    breaker: { failures: 1_000_000, recoveryMs: 1 },
    retry: { attempts: 3, delayMs: 5 },
    now,
    log: { info() {}, warn() {}, error() {} },
  })
  let refuses = false
  // A Community server can be made to refuse no node that the service writes, so this is said in its place.
  const apply: GraphPort['apply'] = async (...batch) => {
    if (refuses) throw new GraphStoreError('apply', { retryable: false, cause: new Error('refusing') })
    return real.apply(...batch)
  }
  const set = (to: boolean) => async () => {
    refuses = to
  }
  const trouble: Trouble = { down: { begin: line.cut, end: line.open }, refusing: { begin: set(true), end: set(false) } }
  return {
    graph: { ...real, apply },
    variables: { NEO4J_URI: line.url, NEO4J_USERNAME: TEST_NEO4J_USERNAME, NEO4J_PASSWORD: TEST_NEO4J_PASSWORD ?? '' },
    trouble,
    async close() {
      await real.close()
      await line.cut()
    },
  }
}
