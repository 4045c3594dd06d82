import { createHash, randomBytes } from 'node:crypto'
import type { Cache, Log, StoreHealth } from '@twofold/core/ports.ts'
import { type BreakerSettings, breaker, isBrokenCircuitError } from '@twofold/resilience/breaker.ts'
import type { Redis } from '@upstash/redis'

export interface RedisSettings {
  /** Upstash's REST endpoint, or one that speaks its protocol. */
  url: string
  token: string
  /** A cache that answers later than this is no help. */
  timeoutMs: number
  breaker: BreakerSettings
  /** How long a vector stays, in seconds. */
  embeddingTtl: number
  now(): Date
  log: Log
  /** Told how many lookups hit and missed, and of each command that failed. */
  count?(what: 'hit' | 'miss' | 'failure', n: number): void
}

/** Longer than anything is cached under a generation, so that one that expires only misses. */
const GENERATION_TTL = 30 * 86_400

/** Upstash takes 1 MB in a request on its smallest plan: 100 vectors of 1,536 dimensions are 820 kB. */
const STORED_AT_ONCE = 100

/** Raised when the meaning of a key or value changes: what older versions wrote is then never read. */
const PREFIX = 'tf1'

/** What is cached, and for how long, in Redis. No failure leaves this port: a cache that is down makes things slower, not wrong. */
export function redisCache(settings: RedisSettings): Cache {
  let opened: Promise<Redis> | undefined
  const circuit = breaker(settings.breaker, () => true)
  const count = settings.count ?? (() => undefined)

  /** The client's errors quote the whole command, so only their kind is told. */
  async function attempt<T>(step: string, otherwise: T, work: (redis: Redis) => Promise<T>): Promise<T> {
    try {
      opened ??= open(settings)
      const redis = await opened
      return await circuit.run(() => work(redis))
    } catch (error) {
      count('failure', 1)
      if (!isBrokenCircuitError(error)) settings.log.warn('cache.failed', { step, reason: error instanceof Error ? error.name : 'unknown' })
      return otherwise
    }
  }

  return {
    async embeddings(model, texts) {
      if (texts.length === 0) return []
      const values = await attempt('embeddings', null, (redis) => redis.mget<(string | null)[]>(texts.map((text) => key('e', model, text))))
      const vectors = values?.map(vectorOf) ?? texts.map(() => null)
      const hits = vectors.filter((vector) => vector !== null).length
      count('hit', hits)
      count('miss', texts.length - hits)
      return vectors
    },

    async storeEmbeddings(model, entries) {
      for (let from = 0; from < entries.length; from += STORED_AT_ONCE) {
        await attempt('storeEmbeddings', null, (redis) => {
          const pipeline = redis.pipeline()
          for (const { text, vector } of entries.slice(from, from + STORED_AT_ONCE)) {
            pipeline.set(key('e', model, text), textOf(vector), { ex: settings.embeddingTtl })
          }
          return pipeline.exec()
        })
      }
    },

    async forgetEmbeddings(model, texts) {
      if (texts.length === 0) return
      await attempt('forgetEmbeddings', 0, (redis) => redis.del(...texts.map((text) => key('e', model, text))))
    },

    async generations(tenant, subjects) {
      if (subjects.length === 0) return []
      const keys = subjects.map((subject) => key('g', tenant, subject))
      return attempt('generations', null, async (redis) => {
        const read = () => redis.mget<(string | null)[]>(keys)
        let values = await read()
        const missing = keys.filter((_, i) => values[i] === null)
        if (missing.length > 0) {
          const pipeline = redis.pipeline()
          for (const each of new Set(missing)) pipeline.set(each, generation(), { nx: true, ex: GENERATION_TTL })
          await pipeline.exec()
          values = await read()
        }
        return values.every((value) => value !== null) ? values : null
      })
    },

    invalidate(tenant, subjects) {
      return attempt<'written' | 'failed'>('invalidate', 'failed', async (redis) => {
        const transaction = redis.multi()
        for (const subject of new Set(['', ...subjects])) transaction.set(key('g', tenant, subject), generation(), { ex: GENERATION_TTL })
        await transaction.exec()
        return 'written'
      })
    },

    async health(): Promise<StoreHealth> {
      const available = await attempt('health', false, async (redis) => (await redis.ping()) === 'PONG')
      return {
        available,
        healthy: available && circuit.state === 'closed',
        lastCheck: settings.now().toISOString(),
        breaker: circuit.state,
      }
    },
  }
}

async function open({ url, token, timeoutMs }: RedisSettings): Promise<Redis> {
  const { Redis } = await import('./client.ts')
  return new Redis({
    ...{ url, token, automaticDeserialization: false, responseEncoding: false, enableTelemetry: false, enableAutoPipelining: false },
    retry: { retries: 0 },
    signal: () => AbortSignal.timeout(timeoutMs),
  })
}

/** No Redis: nothing is found, nothing is kept, and nothing is wrong with that. */
export const disabledCache = (now: () => Date): Cache => ({
  embeddings: async (_, texts) => texts.map(() => null),
  storeEmbeddings: async () => undefined,
  forgetEmbeddings: async () => undefined,
  generations: async () => null,
  invalidate: async () => 'disabled',
  health: async () => ({ available: false, healthy: true, lastCheck: now().toISOString(), breaker: 'closed', disabled: true }),
})

const generation = (): string => randomBytes(12).toString('base64url')

/** Hashed, so that no text, tenant or subject can be read from a key, and every key is short. */
function key(kind: 'e' | 'g', ...parts: readonly string[]): string {
  return `${PREFIX}:${kind}:${createHash('sha256').update(JSON.stringify(parts)).digest('base64url')}`
}

const textOf = ({ buffer, byteOffset, byteLength }: Float32Array): string => Buffer.from(buffer, byteOffset, byteLength).toString('base64')

function vectorOf(text: string | null): Float32Array | null {
  if (text === null) return null
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'))
  return bytes.byteLength > 0 && bytes.byteLength % 4 === 0 ? new Float32Array(bytes.buffer) : null
}
