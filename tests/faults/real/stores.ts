import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type Truth, truthOf } from '@twofold/core/graph/lease.sql.ts'
import type { Shown } from '@twofold/core/graph/port.ts'
import { projectionOf } from '@twofold/core/graph/projection.ts'
import { readGeneration } from '@twofold/core/graph/query.sql.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { compose } from '@twofold/functions/deps.ts'
import { readEnv } from '@twofold/functions/env.ts'
import { providerServer } from '@twofold/models/fixture.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import type { Name, Running } from '@twofold/servers/server.ts'
import { openServer } from '@twofold/servers/servers.ts'
import { type Client, client, eventually } from '../../client.ts'
import { joinOf, KEY, type Process, start } from '../../process.ts'

/** A real server of one file's own, which keeps its port and its data over every end. */
export interface Store {
  readonly running: Running
  kill(): Promise<void>
  stop(): Promise<void>
  /** On the same data, with these settings from now on. */
  start(settings?: Record<string, string>): Promise<void>
}

export async function store(folder: string, name: Name): Promise<Store> {
  const open = (port?: number, settings?: Record<string, string>) =>
    openServer(name, { folder: join(folder, name), port, settings, durable: true })
  let running = await open()
  return {
    get running() {
      return running
    },
    kill: () => running.kill(),
    stop: () => running.stop(),
    async start(settings) {
      running = await open(running.port, settings)
    },
  }
}

/** The service as a user starts it, on stores of its own. */
export interface Scene {
  asks: Client
  home: string
  stores: Record<string, Store>
  provider: Awaited<ReturnType<typeof providerServer>>
  service: Process
  /** Starts the service, or starts it again, with these variables beside those that name its stores. */
  serve(variables?: Record<string, string>): Promise<void>
  /** Work with the stores themselves, past the service. */
  inside<T>(work: (deps: Deps) => Promise<T>): Promise<T>
  /** The tenant's id. */
  tenant(): Promise<string>
  close(): Promise<void>
}

const VARIABLES: Record<Name, (running: Running) => Record<string, string>> = {
  postgres: ({ url }) => ({ DATABASE_URL: url }),
  redis: ({ url }) => ({ REDIS_URL: url }),
  neo4j: ({ variables }) => ({
    NEO4J_URI: variables.TEST_NEO4J_URI as string,
    NEO4J_USERNAME: variables.TEST_NEO4J_USERNAME as string,
    NEO4J_PASSWORD: variables.TEST_NEO4J_PASSWORD as string,
  }),
  sqs: ({ url }) => ({ AWS_ENDPOINT_URL_SQS: url, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' }),
}

/** Vectors as short as the provider's make the load one of writes, not of parsing numbers. */
export const DIMENSIONS = 64

/** Opens the stores named and the service on them. */
export async function scene(...names: Name[]): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'twofold-faults-'))
  // Postgres runs as a user of its own, who must get at its data.
  await chmod(folder, 0o755)
  const provider = await providerServer()
  const opened = await Promise.all(names.map((name) => store(folder, name)))
  const stores: Record<string, Store> = Object.fromEntries(names.map((name, i) => [name, opened[i] as Store]))
  const home = join(folder, 'home')
  const named = () => Object.assign({}, ...names.map((name) => VARIABLES[name]((stores[name] as Store).running))) as Record<string, string>
  let service: Process | null = null
  let asks: Client | null = null
  const others = {
    // Nothing is shown by waiting for it to close again, which takes 45 s otherwise.
    BREAKER_RECOVERY_MS: '5000',
    EMBEDDING_MODEL: 'openai:test-embedding',
    EMBEDDING_DIMENSIONS: String(DIMENSIONS),
    OPENAI_BASE_URL: provider.url,
    OPENAI_API_KEY: 'test',
  }
  const close = async () => {
    await service?.end('SIGKILL')
    await Promise.all(opened.map((each) => each.kill()))
    await provider.close()
    await rm(folder, { recursive: true, force: true })
  }
  const self: Scene = {
    home,
    stores,
    provider,
    get asks() {
      return asks as Client
    },
    get service() {
      return service as Process
    },
    async serve(variables = {}) {
      await service?.end('SIGTERM')
      service = await start(home, { ...named(), ...others, ...variables })
      asks = client(service.url, KEY)
    },
    async inside(work) {
      const composed = await compose(readEnv({ ...named(), ...others, ...(await joinOf(home)), LOG_LEVEL: 'silent' }))
      try {
        return await work(composed.deps)
      } finally {
        await composed.close()
      }
    },
    close,
    tenant: () =>
      self.inside(async ({ db, now }) => {
        const [rows] = await db.across([
          sql<{
            found: { tenant: string }
          }>`select authorize(${hashKey(KEY)}::bytea, null, null, null, ${now().toISOString()}::timestamptz, null, null) as found`,
        ])
        return rows[0]?.found.tenant as string
      }),
  }
  try {
    await self.serve()
  } catch (error) {
    await close()
    throw error
  }
  return self
}

const BUCKETS = 1024
/** Few enough that ten thousand nodes come in parts. */
const AT_ONCE = 128

/**
 * All that Postgres says the graph must show, and all that the graph shows, in one form; nothing of it owed. Both of one
 * moment: sweeps take entities away that nobody mentions any more, whenever it is their time, so that Postgres is read
 * before and after the graph, and both once more if it moved meanwhile.
 */
export async function bothSides({ inside, tenant }: Pick<Scene, 'inside' | 'tenant'>): Promise<{ postgres: string[]; graph: string[] }> {
  const who = await tenant()
  return inside(async (deps) => {
    let before = await inPostgres(deps, who)
    return eventually(
      async () => {
        const graph = await inGraph(deps, who, before.generations)
        const after = await inPostgres(deps, who)
        const still = after.owed === 0 && isDeepStrictEqual(before, after)
        before = after
        return { graph, postgres: after.lines, still }
      },
      ({ still }) => still,
      RECOVERY_MS,
    )
  })
}

async function inPostgres({ db, now }: Deps, tenant: string) {
  const [rows, [state]] = await db.asTenant(tenant, [
    sql<Truth & { owed: boolean }>`
      select l.id, l.kind, l.subject, l.bucket::int as bucket, l.revision, l.revision <> l.shown as owed, ${truthOf(sql`true`, now().toISOString())}
      from ledger l where l.tenant_id = current_tenant()`,
    readGeneration,
  ])
  const shown = rows.map(projectionOf).filter((projection) => !projection.gone)
  return { lines: shown.map(oneForm).sort(), owed: rows.filter(({ owed }) => owed).length, generations: state?.generations ?? [] }
}

async function inGraph({ graph }: Deps, tenant: string, generations: readonly number[]): Promise<string[]> {
  const lines: string[] = []
  for (let from = 0; from < BUCKETS; from += AT_ONCE) {
    const some = Array.from({ length: AT_ONCE }, (_, i) => from + i)
    lines.push(...(await graph.held(tenant, some, { generations, timeoutMs: 60_000 })).map(oneForm))
  }
  return lines.sort()
}

const oneForm = ({ labels, properties, edges, ...rest }: Shown): string =>
  JSON.stringify({
    ...Object.fromEntries(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1))),
    labels: [...labels].sort(),
    properties: Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1)),
    edges: edges.map((edge) => JSON.stringify(Object.entries(edge).sort(([a], [b]) => (a < b ? -1 : 1)))).sort(),
  })

export const status = async (asks: Client): Promise<any> => (await asks.get('/api/persistence/status')).json

/** What a circuit that stays open, a lease and a minute's sweep may take after each other. */
const RECOVERY_MS = 240_000

/** Once nothing is owed and every store is well again. */
export const recovered = (asks: Client): Promise<any> =>
  eventually(
    () => status(asks),
    (seen) => seen?.status === 'healthy' && seen.metrics.owedGraphWrites + seen.metrics.owedEmbeddings + seen.metrics.owedEntities === 0,
    RECOVERY_MS,
  )
