import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Composed, compose } from '@twofold/functions/deps.ts'
import { type Env, readEnv } from '@twofold/functions/env.ts'
import { sqsOf } from '@twofold/functions/parts/queue.ts'
import { deadLetters } from '@twofold/functions/queues/dead-letters.ts'
import { graphWrites } from '@twofold/functions/queues/graph-writes.ts'
import { ingest } from '@twofold/functions/queues/ingest.ts'
import { deadOf, type Subscription, subscriptions, visibilityMs } from '@twofold/functions/queues/queues.ts'
import type { SqsOptions } from '@twofold/functions/queues/sqs.ts'
import { schedules } from '@twofold/functions/schedules/schedules.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import { ensureModel } from '@twofold/postgres/ensure-model.ts'
import { migrate } from '@twofold/postgres/migrate.ts'
import { v7 } from 'uuid'
import { openHome } from './home.ts'
import { serveApi } from './http/api.ts'
import { type PollOptions, poll } from './queue/poll.ts'
import type { QueueSettings } from './queue/table.ts'
import { reach } from './reach.ts'
import { openScheduler } from './scheduler/scheduler.ts'
import { openWire, type Wire } from './wire.ts'

export interface ServiceOptions {
  /** Where everything is kept. */
  home: string
  /** 0 takes any free port. */
  port: number
  /** An admin key of the tenant `local`; without one, the key of the home, made at its first start. */
  apiKey?: string | undefined
  /** What the environment says beside that: real parts, models, settings. */
  variables: Record<string, string | undefined>
  log(message: string): void
}

export interface Service {
  url: string
  /** An admin key of the tenant `local`. */
  key: string
  /** Whether the store was made just now. */
  created: boolean
  openedMs: number
  composed: Composed
  /** Makes another tenant of this machine and answers an admin key of it. */
  tenant(name: string, secret: string): Promise<void>
  close(): Promise<void>
}

/** The queues of the code as SQS keeps them, each with one for what it had to give up. */
const QUEUES = Object.fromEntries(
  subscriptions.flatMap((each): [string, QueueSettings][] => [
    [each.name, { visibilityMs: visibilityMs(each), redrive: { to: deadOf(each), maxReceives: each.maxReceives } }],
    [deadOf(each), { visibilityMs: 30_000 }],
  ]),
)

/** How often schedules run on one machine unless they are told otherwise; in the cloud they run by the minute. */
const EVERY_MS = {
  ...{ RELAY_INTERVAL_MS: '1000', RUNS_INTERVAL_MS: '1000', EXPIRE_INTERVAL_MS: '1000', REEMBED_INTERVAL_MS: '2000' },
  DOCUMENTS_INTERVAL_MS: '1000',
}
/** What comes once a day looks this often whether it is due. */
const DAILY_LOOK_MS = 60_000

/** Starts everything the service is on one machine: stores, queue, schedules, API. Throws with one clear sentence when it cannot. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { log } = options
  const variables: Record<string, string | undefined> = { ...EVERY_MS, ...given(options.variables) }
  const opened: { close(): unknown }[] = []
  const close = async () => {
    for (const each of opened.splice(0).reverse()) await each.close()
  }
  try {
    // Checked before anything is made, with a database that stands for the one that is.
    const told = readEnv({ ...variables, DATABASE_URL: variables.DATABASE_URL || 'postgres://owner:secret@localhost/twofold' })
    const home = openHome(options.home)
    opened.push(home)
    const wire = await openWire({
      folder: home.store,
      databaseUrl: variables.DATABASE_URL || undefined,
      ownerUrl: (variables.DATABASE_URL && variables.DATABASE_OWNER_URL) || undefined,
      redisUrl: variables.REDIS_URL || undefined,
      redisBytes: 256 * 1024 * 1024,
      queues: QUEUES,
      secret: home.secret('wire'),
      log,
    })
    opened.push(wire)
    await migrate({ ownerUrl: wire.owner.url, fetchEndpoint: wire.owner.fetchEndpoint, url: variables.DATABASE_URL || undefined })
    // Nobody else has this store, so whoever held a schedule is dead.
    if (wire.store) await wire.sql('update twofold.schedules set holder = null, held_until = null where holder is not null')
    const env = readEnv({ ...variables, ...wired(wire, variables) })
    const made = await compose(env)
    opened.push(made)
    const { deps } = made
    await ensureModel(wire.owner, deps.embedder.model, deps.embedder.dimensions)
    const events = eventsAt(wire, told)
    await reach(env, variables, made, events, log)
    const tenant = (name: string, secret: string) => ensureTenant(wire, name, secret)
    const key = options.apiKey || home.secret('key', deps.secret)
    await tenant('local', key)
    opened.push(await work(wire, env, made, events, log))
    const serving = await serveApi(made, options.port)
    opened.push(serving)
    writeFileSync(join(home.path, 'join'), joining(wire, variables), { mode: 0o600 })
    writeFileSync(join(home.path, 'url'), serving.url, { mode: 0o600 })
    return {
      url: serving.url,
      key,
      created: wire.store?.created ?? false,
      openedMs: wire.store?.openedMs ?? 0,
      composed: made,
      tenant,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Without those that are empty, which count as not set. */
const given = (variables: Record<string, string | undefined>): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''))

/** Where events of other services come from. Each queue by itself is this machine's or a real one, so its credentials are those that were given. */
const eventsAt = (wire: Wire, told: Env): SqsOptions =>
  told.INGEST_QUEUE_URL === undefined ? { ...wire.sqs, url: wire.sqs.urlOf('ingest') } : sqsOf(told, told.INGEST_QUEUE_URL)

/** The queues' consumers and the schedules. */
async function work(
  wire: Wire,
  env: Env,
  { deps }: Composed,
  events: SqsOptions,
  log: (message: string) => void,
): Promise<{ close(): Promise<void> }> {
  const consumers: Record<Subscription['name'], SqsOptions & Pick<PollOptions, 'handler'>> = {
    'graph-writes': { ...sqsOf(env, env.GRAPH_QUEUE_URL as string), handler: graphWrites(deps) },
    ingest: { ...events, handler: ingest(deps, deadLetters(events)) },
  }
  const pollers = subscriptions.map(({ name, batchSize, timeoutMs }) => poll({ ...consumers[name], batchSize, timeoutMs, log }))
  const scheduler = await openScheduler({ sql: wire.sql, log })
  for (const run of schedules) {
    const { name, every, autoSync = false } = run.declared
    if (autoSync && !env.ENABLE_AUTO_SYNC) continue
    scheduler.every(name, every === 'NIGHTLY_HOUR' ? DAILY_LOOK_MS : env[every], run(deps))
  }
  return {
    async close() {
      await Promise.all([...pollers.map((poller) => poller.stop()), scheduler.stop()])
    },
  }
}

/** What the functions are told, so that they find the wire where the cloud would be. */
const wired = (wire: Wire, variables: Record<string, string | undefined>): Record<string, string | undefined> => ({
  DATABASE_URL: wire.database.url,
  DATABASE_HTTP_URL: wire.database.fetchEndpoint,
  ...(variables.UPSTASH_REDIS_REST_URL ? {} : { UPSTASH_REDIS_REST_URL: wire.redis.url, UPSTASH_REDIS_REST_TOKEN: wire.redis.token }),
  ...(variables.GRAPH_QUEUE_URL
    ? {}
    : {
        GRAPH_QUEUE_URL: wire.sqs.urlOf('graph-writes'),
        ...(variables.INGEST_QUEUE_URL ? {} : { INGEST_QUEUE_URL: wire.sqs.urlOf('ingest') }),
        AWS_ENDPOINT_URL_SQS: undefined,
        AWS_REGION: wire.sqs.region,
        AWS_ACCESS_KEY_ID: wire.sqs.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: wire.sqs.credentials.secretAccessKey,
        AWS_SESSION_TOKEN: undefined,
      }),
})

/** On what processes that share stores must agree, or one would not find what the other remembered; and where those are. */
const AGREED = /^(EMBEDDING_|ENABLE_GRAPH_STORE$|NEO4J_|UPSTASH_|GRAPH_QUEUE_URL$|AWS_)/

/** The same as a file of variables, for another process that joins this one's stores. */
function joining(wire: Wire, variables: Record<string, string | undefined>): string {
  const agreed = Object.entries(variables).filter(([name]) => AGREED.test(name))
  return Object.entries({ ...Object.fromEntries(agreed), ...wired(wire, variables) })
    .flatMap(([name, value]) => (value ? [`${name}=${quoted(value)}\n`] : []))
    .join('')
}

/** As such files are read: whatever stands between two of the same quotes. */
function quoted(value: string): string {
  const quote = /^[\w.:/@%+=,-]*$/.test(value) ? '' : (['"', "'", '`'].find((each) => !value.includes(each)) ?? '')
  return quote + value + quote
}

async function ensureTenant(wire: Wire, name: string, secret: string): Promise<void> {
  const hash = `\\x${hashKey(secret).toString('hex')}`
  await wire.sql('select twofold.ensure_tenant($1::uuid, $2, $3::uuid, $4::bytea, now())', [v7(), name, v7(), hash])
}
