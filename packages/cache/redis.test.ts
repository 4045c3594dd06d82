import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Listening, listen } from '@twofold/local/http/listen.ts'
import { redisEndpoint } from '@twofold/local/redis/endpoint.ts'
import { memoryStore } from '@twofold/local/redis/memory.ts'
import { Redis } from '@upstash/redis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cacheContract } from './contract.ts'
import { disabledCache, type RedisSettings, redisCache } from './redis.ts'

const TOKEN = 'a-token'
const SECRET = 'the text of a memory'
const at = new Date('2026-03-01T12:00:00Z')
const vector = Float32Array.from([0.1, -2, 3.5e-8, 0])

let clock = at.getTime()
let server: Listening
let said: unknown[]
let counted: Record<string, number>

const endpoint = () => redisEndpoint({ store: memoryStore({ maxBytes: 1e6, now: () => clock }), token: TOKEN })
beforeEach(async () => {
  clock = at.getTime()
  said = []
  counted = { hit: 0, miss: 0, failure: 0 }
  server = await listen({ redis: endpoint() }, { log: (message) => said.push(message) })
})
afterEach(() => server.close())

const tell = (event: string, fields: unknown) => said.push({ event, fields })
const cacheAt = (url: string, more: Partial<RedisSettings> = {}) =>
  redisCache({
    url,
    token: TOKEN,
    timeoutMs: 500,
    breaker: { failures: 3, recoveryMs: 50 },
    embeddingTtl: 3600,
    now: () => at,
    log: { info: tell, warn: tell, error: tell },
    count: (what, n) => {
      counted[what] = (counted[what] as number) + n
    },
    ...more,
  })
const here = (more?: Partial<RedisSettings>) => cacheAt(`${server.url}/redis`, more)

cacheContract('with Redis in memory', async () => ({
  store: memoryStore({ maxBytes: 1e6, now: () => clock }),
  async pass(ms) {
    clock += ms
  },
}))

test('what is not a vector is a miss', async () => {
  const cache = here()
  await cache.storeEmbeddings('m', [{ text: 'a', vector }])
  const store = memoryStore({ maxBytes: 1e6 })
  const broken = { ...store, run: async () => [['AAAAAAA=']] } as unknown as typeof store
  const other = await listen({ redis: redisEndpoint({ store: broken, token: TOKEN }) }, { log: console.error })
  try {
    expect(await cacheAt(`${other.url}/redis`).embeddings('m', ['a'])).toEqual([null])
  } finally {
    await other.close()
  }
})

describe('without an answer of Redis', () => {
  /** Everything the port can be asked, and what it says when Redis cannot help. */
  const misses = async (cache: ReturnType<typeof here>) => {
    expect(await cache.embeddings('m', [SECRET])).toEqual([null])
    await cache.storeEmbeddings('m', [{ text: SECRET, vector }])
    await cache.forgetEmbeddings('m', [SECRET])
    expect(await cache.generations('t', ['user:alice'])).toBeNull()
    expect(await cache.invalidate('t', ['user:alice'])).toBe('failed')
    expect(await cache.health()).toMatchObject({ available: false, healthy: false })
    expect(counted.failure).toBe(6)
    expect(JSON.stringify(said)).not.toMatch(/memory|alice|tf1/)
  }

  test('Redis is down: every lookup misses and nothing throws', async () => {
    await server.close()
    await misses(here())
  })

  test('a wrong token is as if Redis were down, and is never written to the log', async () => {
    await misses(here({ token: 'hunter2' }))
    expect(JSON.stringify(said)).not.toContain('hunter2')
    expect(said[0]).toEqual({ event: 'cache.failed', fields: { step: 'embeddings', reason: 'UpstashError' } })
  })

  test('a slow Redis is given up', async () => {
    const slow = createServer(() => undefined)
    await new Promise<void>((done) => slow.listen(0, '127.0.0.1', done))
    try {
      const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`
      await misses(cacheAt(url, { timeoutMs: 20, breaker: { failures: 100, recoveryMs: 1 } }))
      expect(said).toHaveLength(6)
    } finally {
      slow.close().closeAllConnections()
    }
  })

  test('after three failures Redis is left alone, and taken up again when it answers after the pause', async () => {
    const state = { up: false, asked: 0 }
    const real = endpoint()
    const other = await listen(
      {
        redis: {
          ...real,
          handle: (request) => {
            state.asked++
            return state.up ? real.handle(request) : Promise.resolve({ status: 500, body: '{}' })
          },
        },
      },
      { log: console.error },
    )
    try {
      const cache = cacheAt(`${other.url}/redis`)
      for (let i = 0; i < 5; i++) await cache.embeddings('m', ['a'])
      expect(state.asked).toBe(3)
      expect(said).toHaveLength(3)
      expect(await cache.health()).toMatchObject({ breaker: 'open', healthy: false })
      state.up = true
      await new Promise((done) => setTimeout(done, 60))
      expect(await cache.invalidate('t', [])).toBe('written')
      expect(await cache.health()).toMatchObject({ breaker: 'closed', healthy: true })
    } finally {
      await other.close()
    }
  })

  test('a client without these settings would have quoted the text: the port has something to hide', async () => {
    const bare = new Redis({ url: `${server.url}/redis`, token: 'wrong', retry: false, enableTelemetry: false })
    await expect(bare.set('key', SECRET)).rejects.toThrow(SECRET)
  })
})

test('without Redis configured nothing is cached and nothing is wrong', async () => {
  const cache = disabledCache(() => at)
  await cache.storeEmbeddings('m', [{ text: 'a', vector }])
  await cache.forgetEmbeddings('m', ['a'])
  expect(await cache.embeddings('m', ['a', 'b'])).toEqual([null, null])
  expect(await cache.generations('t', ['user:a'])).toBeNull()
  expect(await cache.invalidate('t', ['user:a'])).toBe('disabled')
  expect(await cache.health()).toEqual({ available: false, healthy: true, lastCheck: at.toISOString(), breaker: 'closed', disabled: true })
})
