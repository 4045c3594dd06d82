import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { disabledCache, redisCache } from '@twofold/cache/redis.ts'
import { auditKeeper } from '@twofold/core/audit/keep.ts'
import { asRefusal } from '@twofold/core/failures.ts'
import type { GraphPort } from '@twofold/core/graph/port.ts'
import type { Authorized, Cache, Database, Deps, GraphQueue, Log } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { disabledGraph } from '@twofold/graph/disabled.ts'
import { postgresGraph } from '@twofold/graph/postgres/graph.ts'
import { makeEmbedder } from '@twofold/models/embed/make.ts'
import { makeExtractor } from '@twofold/models/extract/make.ts'
import { makeLanguage } from '@twofold/models/language/make.ts'
import { once, type Surroundings } from '@twofold/operation/http.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import { connect } from '@twofold/postgres/connect.ts'
import { logger } from '@twofold/telemetry/log.ts'
import { metrics, type Telemetry } from '@twofold/telemetry/metrics.ts'
import { LRUCache } from 'lru-cache'
import { v7 } from 'uuid'
import { type Env, readEnv } from './env.ts'
import { type SqsOptions, sqsQueue } from './queues/sqs.ts'

/** What a process is made of: built once, here and nowhere else. */
export interface Composed {
  deps: Deps
  surroundings: Surroundings<Deps>
  /** The queue of other services' events; null: this configuration has none. */
  ingest: SqsOptions | null
  close(): Promise<void>
}

/** This process's own, from its environment. */
export const composed = once(() => compose(readEnv()))

const BREAKERS = {
  postgres: { failures: 5, recoveryMs: 30_000 },
  redis: { failures: 3, recoveryMs: 10_000 },
  neo4j: { failures: 3, recoveryMs: 45_000 },
}

/** Connections opened at once and at most: a container of Lambda serves one request at a time. */
const POOLS = { lambda: { min: 1, max: 5 }, process: { min: 10, max: 50 } }

/** How long a process that ends waits for the database to take what the audit still has to note. */
const LAST_NOTES_MS = 5_000

/** How long the database's word on a key is good for as a hint. */
const VERIFIED_MS = 60_000

/** Builds every driver that this configuration asks for. `over` puts other parts in their place: a clock that tests turn. */
export async function compose(env: Env, over: Partial<Deps> = {}): Promise<Composed> {
  const now = over.now ?? (() => new Date())
  const log = logger({ level: env.LOG_LEVEL, now })
  const telemetry = metrics({ processes: true })
  const verifiedKeys = new LRUCache<string, Authorized>({ max: 10_000, ttl: VERIFIED_MS })
  const connection = connect({
    url: env.DATABASE_URL,
    fetchEndpoint: env.DATABASE_HTTP_URL,
    retry: { attempts: env.RETRY_ATTEMPTS, delayMs: env.RETRY_DELAY_MS },
    breaker: BREAKERS.postgres,
    timeoutMs: 20_000,
    now,
    log,
  })
  const db = noticing(connection, verifiedKeys, now)
  const embedder = await makeEmbedder({ ...reached(env, env.EMBEDDING_MODEL), dimensions: env.EMBEDDING_DIMENSIONS })
  const extractor = await makeExtractor(reached(env, env.LANGUAGE_MODEL))
  const language = await makeLanguage(reached(env, env.LANGUAGE_MODEL))
  const graph = await graphOf(env, { db, now, log, telemetry })
  const deps: Deps = {
    db,
    graph,
    cache: cacheOf(env, { now, log, telemetry }),
    embedder,
    extractor,
    language,
    queue: queueOf(env, log),
    audit: auditKeeper({ db: connection, log }, env.AUDIT_FLUSH_MS),
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
    gauge: telemetry.gauge,
    now,
    id: () => v7(),
    secret: () => `tf_${randomBytes(32).toString('base64url')}`,
    verifiedKeys: { get: (hash) => verifiedKeys.get(hash.toString('hex')) ?? null },
    ...over,
  }
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
    async close() {
      await Promise.race([deps.audit.flush(), sleep(LAST_NOTES_MS, undefined, { ref: false })])
      await Promise.all([embedder.close(), extractor.close(), graph.close()])
    },
  }
}

/** OpenAI's address and key go to what speaks its protocol; every other provider's package knows its own variables. */
const reached = (env: Env, model: string) =>
  model.startsWith('openai') ? { model, baseURL: env.OPENAI_BASE_URL, apiKey: env.OPENAI_API_KEY } : { model }

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

/** Neo4j where there is one, and its driver loaded only then; else tables beside the truth. */
async function graphOf(
  env: Env,
  { db, now, log, telemetry }: { db: Database; now: () => Date; log: Log; telemetry: Telemetry },
): Promise<GraphPort> {
  if (!env.ENABLE_GRAPH_STORE) return disabledGraph({ now })
  if (env.NEO4J_URI === undefined) return postgresGraph({ db, now })
  const { neo4jGraph } = await import('@twofold/graph/neo4j/graph.ts')
  const usual = env.AWS_LAMBDA_FUNCTION_NAME === undefined ? POOLS.process : POOLS.lambda
  const max = env.NEO4J_POOL_MAX ?? usual.max
  return neo4jGraph({
    ...neo4jOf(env, env.NEO4J_URI),
    pool: { min: Math.min(env.NEO4J_POOL_MIN ?? usual.min, max), max },
    breaker: BREAKERS.neo4j,
    retry: { attempts: env.RETRY_ATTEMPTS, delayMs: env.RETRY_DELAY_MS },
    now,
    log,
    count: (what) => telemetry.count('twofold_graph_total', { what }),
  })
}

/** How this configuration reaches Neo4j. */
export const neo4jOf = (env: Env, uri: string) => ({
  uri,
  username: env.NEO4J_USERNAME,
  password: env.NEO4J_PASSWORD,
  database: env.NEO4J_DATABASE,
})

function cacheOf(env: Env, { now, log, telemetry }: { now: () => Date; log: Log; telemetry: Telemetry }): Cache {
  if (env.UPSTASH_REDIS_REST_URL === undefined) return disabledCache(now)
  return redisCache({
    url: env.UPSTASH_REDIS_REST_URL,
    token: env.UPSTASH_REDIS_REST_TOKEN ?? '',
    timeoutMs: 500,
    breaker: BREAKERS.redis,
    embeddingTtl: 3600,
    now,
    log,
    count: (outcome, n) => telemetry.count('twofold_cache_total', { outcome }, n),
  })
}

/** Without a queue nothing is lost: the relay sweeps what is owed. */
function queueOf(env: Env, log: Log): GraphQueue {
  if (env.GRAPH_QUEUE_URL === undefined) return { nudge: async () => undefined }
  return sqsQueue({ ...sqsOf(env, env.GRAPH_QUEUE_URL), log })
}

/** How this configuration reaches a queue. */
export const sqsOf = (env: Env, url: string): SqsOptions => ({
  url,
  endpoint: env.AWS_ENDPOINT_URL_SQS,
  credentials: {
    accessKeyId: env.AWS_ACCESS_KEY_ID ?? '',
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '',
    sessionToken: env.AWS_SESSION_TOKEN,
  },
  region: env.AWS_REGION,
})
