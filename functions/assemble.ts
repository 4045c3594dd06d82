import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { disabledCache, redisCache } from '@twofold/cache/redis.ts'
import { auditKeeper } from '@twofold/core/audit/keep.ts'
import { asRefusal } from '@twofold/core/failures.ts'
import type { Authorized, Cache, Database, Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { HOME } from '@twofold/core/tenants/placed.ts'
import { dimensionsOf } from '@twofold/models/embed/dimensions.ts'
import type { Surroundings } from '@twofold/operation/http.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import { connect } from '@twofold/postgres/connect.ts'
import { logger } from '@twofold/telemetry/log.ts'
import type { Telemetry } from '@twofold/telemetry/telemetry.ts'
import { LRUCache } from 'lru-cache'
import { v7 } from 'uuid'
import { breakerOf, retryOf } from './breakers.ts'
import type { Env } from './env.ts'
import { type AnyPart, type Ground, type Opened, PORTS, type Port, undeclared } from './needs.ts'
import { sqsOf } from './parts/queue.ts'
import { envAt, placesOf, together } from './places.ts'
import type { SqsOptions } from './queues/sqs.ts'

/** What a process is made of: built once, here and nowhere else. */
export interface Composed {
  deps: Deps
  surroundings: Surroundings<Deps>
  /** The queue of other services' events; null: this configuration has none. */
  ingest: SqsOptions | null
  /** Notes and publishes what has gathered so far. Never throws. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** How long a process that ends waits for the database to take what the audit still has to note. */
const LAST_NOTES_MS = 5_000

/** How long the database's word on a key is good for as a hint. */
const VERIFIED_MS = 60_000

/**
 * Builds every driver that this configuration asks for, and of the parts those that are given. `over` puts others in their
 * place. Refuses a configuration that one of them cannot use. Of other places than `home` a process makes, when one is asked for,
 * what each has of its own: a database and a graph.
 */
export async function assemble(
  env: Env,
  parts: readonly AnyPart[],
  telemetry: Telemetry,
  over: Partial<Deps> = {},
  place = HOME,
): Promise<Composed> {
  const now = over.now ?? (() => new Date())
  const log = logger({ level: env.LOG_LEVEL, now })
  const verifiedKeys = new LRUCache<string, Authorized>({ max: 10_000, ttl: VERIFIED_MS })
  const connection = connect({
    url: env.DATABASE_URL,
    fetchEndpoint: env.DATABASE_HTTP_URL,
    place,
    retry: retryOf(env),
    breaker: breakerOf(env, 'postgres'),
    timeoutMs: 20_000,
    now,
    log,
  })
  const db = noticing(connection, verifiedKeys, now)
  const ground: Ground = { db, now, log, telemetry }
  const opened = await openAll(env, parts, ground)
  const gauges = together(telemetry.gauge)
  const graphs = parts.filter(({ name }) => name === 'graph')
  const places = placesOf(env, (name) => {
    const { embedder, extractor, language, queue, cache, id } = deps
    const shared = { embedder, extractor, language, queue, cache, id, now }
    return assemble(envAt(env, name), graphs, telemetry, { ...shared, gauge: gauges(name), places: places.seenFrom(name) }, name)
  })
  const deps: Deps = {
    db,
    ...opened.ports,
    cache: cacheOf(env, ground),
    audit: auditKeeper({ db: connection, log }, env.AUDIT_FLUSH_MS),
    places: places.seenFrom(HOME),
    log,
    settings: {
      graphEnabled: env.ENABLE_GRAPH_STORE,
      rollbackOnPartialFailure: env.ROLLBACK_ON_PARTIAL_FAILURE,
      modelDeadlineMs: 5_000,
      batchModelDeadlineMs: 8_000,
      graphDeadlineMs: 10_000,
      leaseMs: 30_000,
      autoSync: env.ENABLE_AUTO_SYNC,
      syncIntervalMs: env.SYNC_INTERVAL_MS,
      nightlyHour: env.NIGHTLY_HOUR,
      sessionEventsKept: env.SESSION_EVENTS_KEPT,
      turnTtlHours: env.MEMORY_TTL_HOURS,
      maxContextTurns: env.MEMORY_MAX_CONTEXT_LENGTH,
      auditRetentionDays: env.AUDIT_RETENTION_DAYS,
    },
    metrics: () => telemetry.text(),
    gauge: gauges(place),
    now,
    id: () => v7(),
    secret: () => `tf_${place === HOME ? '' : `${place}.`}${randomBytes(32).toString('base64url')}`,
    verifiedKeys: { get: (hash) => verifiedKeys.get(hash.toString('hex')) ?? null },
    ...over,
  }
  places.homeIs(deps)
  const flush = () => Promise.all([deps.audit.flush(), places.flush()])
  return {
    deps,
    surroundings: {
      deps: () => deps,
      asRefusal,
      log,
      observe: telemetry.observe,
      operatorKeyHash: env.TWOFOLD_OPERATOR_KEY === undefined ? null : hashKey(env.TWOFOLD_OPERATOR_KEY),
    },
    ingest: env.INGEST_QUEUE_URL === undefined ? null : sqsOf(env, env.INGEST_QUEUE_URL),
    async flush() {
      telemetry.flush()
      await flush()
    },
    async close() {
      await Promise.race([flush(), sleep(LAST_NOTES_MS, undefined, { ref: false })])
      await Promise.all([opened.close(), places.close()])
    },
  }
}

/** What the ports say of themselves where they are not opened. Of the models that is in the rows and the answers of functions that never call one. */
const KNOWN: { [P in Port]: (env: Env) => Partial<Deps[P]> | null } = {
  graph: () => ({}),
  embedder({ EMBEDDING_MODEL: model, EMBEDDING_DIMENSIONS: wanted }) {
    return { model, dimensions: dimensionsOf({ model, dimensions: wanted }).dimensions }
  },
  extractor: ({ LANGUAGE_MODEL: model }) => ({ model }),
  language: ({ LANGUAGE_MODEL: model }) => ({ model }),
  queue: () => ({}),
}

async function openAll(env: Env, parts: readonly AnyPart[], ground: Ground) {
  const opened = await Promise.all(parts.map(async (part): Promise<[Port, Opened<Port>]> => [part.name, await part.open(env, ground)]))
  const there = new Map(opened)
  const port = (name: Port) => (there.has(name) ? there.get(name)?.port : undeclared(name, KNOWN[name](env)))
  return {
    ports: Object.fromEntries(PORTS.map((name) => [name, port(name)])) as unknown as Pick<Deps, Port>,
    close: async () => void (await Promise.all(opened.map(([, each]) => each.close?.()))),
  }
}

/** Remembers which keys the database has just verified, and notes once a minute, off the request, that a key is in use. */
function noticing(db: Database, verified: LRUCache<string, Authorized>, now: () => Date): Database {
  return {
    ...db,
    async asCaller(caller, ranges, statements, options) {
      const result = await db.asCaller(caller, ranges, statements, options)
      const hash = caller.keyHash.toString('hex')
      if (!verified.has(hash)) {
        verified.set(hash, result.authorized)
        if (caller.source) return result
        db.across([sql`select touch_key(${caller.keyHash}::bytea, ${now().toISOString()}::timestamptz)`]).catch(() => undefined)
      }
      return result
    },
  }
}

function cacheOf(env: Env, { now, log, telemetry }: Ground): Cache {
  if (env.UPSTASH_REDIS_REST_URL === undefined) return disabledCache(now)
  return redisCache({
    url: env.UPSTASH_REDIS_REST_URL,
    token: env.UPSTASH_REDIS_REST_TOKEN ?? '',
    timeoutMs: 500,
    breaker: breakerOf(env, 'redis'),
    embeddingTtl: 3600,
    now,
    log,
    count: (outcome, n) => telemetry.count('twofold_cache_total', { outcome }, n),
  })
}
