import { createHash, randomUUID } from 'node:crypto'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { compose } from '@twofold/functions/deps.ts'
import { readEnv } from '@twofold/functions/env.ts'
import { mcpEndpoint } from '@twofold/functions/mcp.ts'
import { operations } from '@twofold/functions/operations.ts'
import { leaseMs } from '@twofold/functions/schedules/scheduled.ts'
import { schedules } from '@twofold/functions/schedules/schedules.ts'
import { listen } from '@twofold/local/http/listen.ts'
import { redisEndpoint } from '@twofold/local/redis/endpoint.ts'
import { memoryStore } from '@twofold/local/redis/memory.ts'
import { testDatabase } from '@twofold/local/sql/fixture.ts'
import { providerServer } from '@twofold/models/fixture.ts'
import { serve } from '@twofold/operation/http.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import { ensureModel } from '@twofold/postgres/ensure-model.ts'
import { migrate, readMigrations } from '@twofold/postgres/migrate.ts'
import { writing } from './sites.ts'
import { type Victims, victims } from './victims.ts'

const MODEL = 'openai:test-embedding'
const DIMENSIONS = 64
/** Longer than any lease there is, and than a row waits that the graph has refused. */
const LEASES_MS = 1_000 + Math.max(60_000, ...schedules.map(({ declared }) => leaseMs(declared)))
/** What one death leaves is healed in fewer rounds. */
const MOST_ROUNDS = 6

/** More than any case makes. */
const GENERATIONS = [1, 2, 3, 4]
/** These would mend what a dead process left wrong, before anybody saw it. */
const APART = ['sync', 'nightly']

export interface Asked {
  method: string
  path: string
  body?: unknown
  headers?: Record<string, string>
}

export interface Answer {
  status: number
  json: any
}

export interface Tenant {
  id: string
  key: string
  ask(asked: Asked): Promise<Answer>
}

export interface Stage {
  /** A process of the service that lives: what users ask while another is dead, and what sweeps. */
  deps: Deps
  victims: Victims
  tenant(): Promise<Tenant>
  /** As the owner of the database, past every policy. */
  owner(query: string, params?: readonly (string | number)[]): Promise<Record<string, string | null>[]>
  /** What the model says of a text, without the service hearing of it. */
  vectorOf(text: string): Promise<number[]>
  /** What the language model finds in messages from now on, and which texts it takes for one. */
  say(answer: (asked: any) => unknown): void
  /** While `work` runs the models fail. */
  withoutModels<T>(work: () => Promise<T>): Promise<T>
  /** Turns the clock of every process on. */
  pass(ms: number): void
  /** Every schedule by turns, the clock beyond every lease, until nothing of the tenant is owed; `also` one that is left out otherwise. */
  sweep(tenant: Tenant, also?: string): Promise<void>
  /** A tenant that nobody asks for any more. */
  forget(tenant: Tenant): Promise<void>
  close(): Promise<void>
}

/** Stores that outlive the processes on them, in this one: a database, a Redis and a model behind the protocols they have. */
export async function stage(graph: Record<string, string>, ahead = 2): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'twofold-steps-'))
  const clock = join(folder, 'clock')
  let turned = 0
  const turn = (ms: number) => {
    turned += ms
    writeFileSync(`${clock}.new`, String(turned))
    renameSync(`${clock}.new`, clock)
  }
  turn(0)
  const database = await testDatabase({
    key: JSON.stringify(['steps', await readMigrations()]),
    async prepare({ url, owner }) {
      await migrate({ ownerUrl: owner.url, fetchEndpoint: owner.fetchEndpoint, url })
      await ensureModel(owner, MODEL, DIMENSIONS)
    },
  })
  const redis = await listen(
    { redis: redisEndpoint({ store: memoryStore({ maxBytes: 100_000_000, now: () => Date.now() + turned }), token: 'test' }) },
    { log: console.error },
  )
  const provider = await providerServer()
  const variables = {
    DATABASE_URL: database.url,
    DATABASE_HTTP_URL: database.fetchEndpoint,
    UPSTASH_REDIS_REST_URL: `${redis.url}/redis`,
    UPSTASH_REDIS_REST_TOKEN: 'test',
    EMBEDDING_MODEL: MODEL,
    EMBEDDING_DIMENSIONS: String(DIMENSIONS),
    LANGUAGE_MODEL: 'openai:test-language',
    OPENAI_BASE_URL: provider.url,
    OPENAI_API_KEY: 'test',
    RETRY_DELAY_MS: '1',
    LOG_LEVEL: 'silent',
    ...graph,
  }
  const composed = await compose(readEnv(variables), { now: () => new Date(Date.now() + turned) })
  const { deps } = composed
  const app = serve(operations, composed.surroundings, { '/mcp': mcpEndpoint(composed.surroundings) })
  const processes = victims({ ...variables, CLOCK: clock, METHODS: [...writing()].join(' ') }, ahead)

  const owed = async (tenant: Tenant): Promise<boolean> => {
    const { metrics } = (await tenant.ask({ method: 'GET', path: '/api/persistence/status' })).json
    const [row] = await database.sql(
      `select (select count(*) from twofold.memories m where m.tenant_id = t.id
          and (m.pending_until is not null or (m.deleted_at is null and m.ends_at <= $2::timestamptz)))
        + (select count(*) from twofold.collectable c where c.tenant_id = t.id)
        + (select count(*) from twofold.policy_changes c where c.tenant_id = t.id)
        + (select count(*) from twofold.documents d where d.tenant_id = t.id and d.due_at is not null)
        + (select count(*) from twofold.sync_runs r where r.tenant_id = t.id and r.ended_at is null)
        + (select count(*) from twofold.graph_generations g where g.tenant_id = t.id and g.state <> 'dropped') as n from twofold.tenants t where t.uuid = $1`,
      [tenant.id, deps.now().toISOString()],
    )
    const { owedGraphWrites, owedEmbeddings, owedEntities, deadLetters } = metrics
    return owedGraphWrites + owedEmbeddings + owedEntities + deadLetters + Number(row?.n) > 0
  }

  return {
    deps,
    victims: processes,
    owner: database.sql,
    pass: turn,
    async tenant() {
      const [id, key] = [randomUUID(), `tf_${createHash('sha256').update(randomUUID()).digest('base64url')}`]
      await deps.db.across([sql`select make_tenant(${id}::uuid, ${id}, ${randomUUID()}::uuid, ${hashKey(key)}::bytea, now())`])
      return {
        id,
        key,
        async ask(asked) {
          const { method, path, headers, body } = withKey(asked, key)
          const response = await app.request(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
          const text = await response.text()
          return { status: response.status, json: text.startsWith('{') ? JSON.parse(text) : text }
        },
      }
    },
    async vectorOf(text) {
      const body = JSON.stringify({ model: 'test', input: [text], dimensions: DIMENSIONS })
      const { data } = (await (await fetch(`${provider.url}/embeddings`, { method: 'POST', body })).json()) as any
      return data[0].embedding
    },
    say: provider.say,
    async withoutModels(work) {
      provider.fail('server-error')
      try {
        return await work()
      } finally {
        provider.fail(null)
      }
    },
    async sweep(tenant, also) {
      for (let round = 0; round < MOST_ROUNDS; round++) {
        turn(LEASES_MS)
        const due = schedules.filter(({ declared: { name } }) => name === also || !APART.includes(name))
        for (const schedule of due) await schedule(deps)()
        if (!(await owed(tenant))) return
      }
      throw new Error(`still owed after ${MOST_ROUNDS} rounds`)
    },
    async forget({ id }) {
      for (const generation of GENERATIONS) while ((await deps.graph.drop(id, generation, 1000, {})) > 0);
      await database.sql('delete from twofold.links k using twofold.tenants t where t.id = k.tenant_id and t.uuid = $1', [id])
      await database.sql('delete from twofold.tenants where uuid = $1', [id])
    },
    async close() {
      await processes.close()
      await composed.close()
      await Promise.all([provider.close(), redis.close()])
      await database.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The same request as it goes over the wire with this key. */
export const withKey = ({ method, path, body, headers }: Asked, key: string) => ({
  ...{ method, path, body },
  headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
})
