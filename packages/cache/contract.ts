import { type Listening, listen } from '@twofold/local/http/listen.ts'
import { redisEndpoint } from '@twofold/local/redis/endpoint.ts'
import type { RedisStore } from '@twofold/local/redis/memory.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RedisSettings, redisCache } from './redis.ts'

const TOKEN = 'a-token'
const SECRET = 'the text of a memory'
const at = new Date('2026-03-01T12:00:00Z')
const vector = Float32Array.from([0.1, -2, 3.5e-8, 0])

export interface Opened {
  store: RedisStore
  /** Lets time pass for what expires. */
  pass(ms: number): Promise<unknown>
}

/** What the cache must be over every Redis: in memory, or a real one behind the same endpoint. */
export function cacheContract(name: string, open: () => Promise<Opened>): void {
  describe(name, () => {
    let opened: Opened
    let server: Listening
    let sent: string[]
    let counted: Record<string, number>
    let run = 0

    beforeAll(async () => {
      opened = await open()
      const { store } = opened
      const watched: RedisStore = {
        ...store,
        run(commands, atomic) {
          sent.push(JSON.stringify(commands))
          return store.run(commands, atomic)
        },
      }
      server = await listen({ redis: redisEndpoint({ store: watched, token: TOKEN }) }, { log: console.error })
    })
    beforeEach(() => {
      sent = []
      counted = { hit: 0, miss: 0, failure: 0 }
      run++
    })
    afterAll(async () => {
      await server.close()
      await opened.store.close()
    })

    /** Names of this run alone: what an earlier one left in a real Redis is still there. */
    const own = (what: string) => `${what} ${process.pid} ${performance.timeOrigin} ${run}`
    const silent = { info() {}, warn() {}, error() {} }
    const here = (more: Partial<RedisSettings> = {}) =>
      redisCache({
        url: `${server.url}/redis`,
        token: TOKEN,
        timeoutMs: 5_000,
        breaker: { failures: 3, recoveryMs: 50 },
        embeddingTtl: 3600,
        now: () => at,
        log: silent,
        count: (what, n) => {
          counted[what] = (counted[what] as number) + n
        },
        ...more,
      })

    test('vectors come back to the bit, in the order asked, by model and text', async () => {
      const cache = here()
      await cache.storeEmbeddings(own('m'), [
        { text: SECRET, vector },
        { text: '', vector: vector.subarray(1, 3) },
      ])
      expect(await cache.embeddings(own('m'), ['', 'unknown', SECRET])).toEqual([vector.slice(1, 3), null, vector])
      expect(await cache.embeddings(own('another model'), [SECRET])).toEqual([null])
      expect(counted).toEqual({ hit: 2, miss: 2, failure: 0 })
      expect(await cache.embeddings(own('m'), [])).toEqual([])
    })

    test('vectors are gone after their time, and at once when they must be forgotten', async () => {
      const cache = here({ embeddingTtl: 1 })
      await cache.storeEmbeddings(own('m'), [
        { text: 'a', vector },
        { text: 'b', vector },
      ])
      await cache.forgetEmbeddings(own('m'), ['b'])
      expect(await cache.embeddings(own('m'), ['a', 'b'])).toEqual([vector, null])
      await opened.pass(1_100)
      expect(await cache.embeddings(own('m'), ['a'])).toEqual([null])
    })

    test('as many vectors as a batch has are kept', async () => {
      const texts = Array.from({ length: 250 }, (_, i) => `text ${i}`)
      await here().storeEmbeddings(
        own('m'),
        texts.map((text, i) => ({ text, vector: Float32Array.of(i) })),
      )
      expect((await here().embeddings(own('m'), texts)).map((found) => found?.[0])).toEqual(texts.map((_, i) => i))
    })

    test('generations are made when absent, stay until moved, and belong to one tenant and subject', async () => {
      const cache = here()
      const first = (await cache.generations(own('t'), ['user:a', 'user:b', ''])) as string[]
      expect(new Set(first).size).toBe(3)
      expect(await here().generations(own('t'), ['user:a', 'user:b', ''])).toEqual(first)
      expect(await cache.generations(own('other'), ['user:a'])).not.toEqual([first[0]])
      expect(await cache.invalidate(own('t'), ['user:a', 'user:a'])).toBe('written')
      const second = (await cache.generations(own('t'), ['user:a', 'user:b', ''])) as string[]
      expect(second.map((value, i) => value === first[i])).toEqual([false, true, false])
      expect(await cache.generations(own('t'), [])).toEqual([])
    })

    test('two readers that make the same generation agree on one', async () => {
      const both = await Promise.all([here().generations(own('t'), ['user:a']), here().generations(own('t'), ['user:a'])])
      expect(both[0]).toEqual(both[1])
    })

    test('health is a sign of life', async () => {
      expect(await here().health()).toEqual({ available: true, healthy: true, lastCheck: at.toISOString(), breaker: 'closed' })
    })

    test('neither key nor value shows a text, a tenant or a subject', async () => {
      const cache = here()
      await cache.storeEmbeddings(own('m'), [{ text: SECRET, vector }])
      await cache.embeddings(own('m'), [SECRET])
      await cache.generations(own('tenant-1'), ['user:alice'])
      await cache.invalidate(own('tenant-1'), ['user:alice'])
      expect(sent.length).toBeGreaterThan(4)
      expect(sent.join()).not.toMatch(/memory|tenant-1|alice/)
    })
  })
}
