import { Redis } from '@upstash/redis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Listening, listen } from '../http/listen.ts'
import { SUPPORTED } from './commands.ts'
import { redisEndpoint } from './endpoint.ts'
import { memoryStore, type RedisStore } from './memory.ts'
import { openRedis } from './server.ts'

const TOKEN = 'a-token'
let now = 1_000_000

/** What Upstash's own client must see of either store. */
function contract(name: string, open: () => Promise<RedisStore>, wait: (ms: number) => Promise<void>): void {
  describe(name, () => {
    let store: RedisStore
    let server: Listening
    let redis: Redis
    const k = (key: string) => `${name}:${key}:${process.pid}`

    beforeAll(async () => {
      store = await open()
      server = await listen({ redis: redisEndpoint({ store, token: TOKEN }) }, { log: console.error })
    })
    beforeEach(async () => {
      redis = new Redis({ url: `${server.url}/redis`, token: TOKEN, automaticDeserialization: false, retry: false, enableTelemetry: false })
      await redis.del(...['a', 'b', 'c', 'd'].map(k))
    })
    afterAll(async () => {
      await server.close()
      await store.close()
    })

    test('values come back as they were set, whatever they hold', async () => {
      const values = ['42', '', 'naïve 日本語 🧠', '{"a":1}', 'OK', Buffer.from([0, 255, 1, 128]).toString('base64'), 'x\0y']
      for (const value of values) {
        expect(await redis.set(k('a'), value)).toBe('OK')
        expect(await redis.get(k('a'))).toBe(value)
      }
      expect(await redis.get(k('b'))).toBeNull()
      expect(await redis.mget(k('a'), k('b'), k('a'))).toEqual(['x\0y', null, 'x\0y'])
      expect(await redis.del(k('a'), k('b'))).toBe(1)
      expect(await redis.get(k('a'))).toBeNull()
    })

    test('a value expires after its time to live and not before', async () => {
      await redis.set(k('a'), '1', { px: 80 })
      await redis.set(k('b'), '1', { ex: 100 })
      await redis.set(k('c'), '1')
      expect(await redis.mget(k('a'), k('b'), k('c'))).toEqual(['1', '1', '1'])
      await wait(120)
      expect(await redis.mget(k('a'), k('b'), k('c'))).toEqual([null, '1', '1'])
    })

    test('with NX the first one wins and keeps its time to live', async () => {
      expect(await redis.set(k('a'), 'first', { nx: true, ex: 60 })).toBe('OK')
      expect(await redis.set(k('a'), 'second', { nx: true, ex: 60 })).toBeNull()
      expect(await redis.get(k('a'))).toBe('first')
    })

    test('a pipeline answers each command in order, and one that is wrong fails alone', async () => {
      const replies = await redis.pipeline().set(k('a'), '1').get(k('a')).incr(k('a')).mget(k('a'), k('b')).exec({ keepErrors: true })
      expect(replies.map((reply) => reply.error ?? reply.result)).toEqual(['OK', '1', 'ERR unsupported: incr', ['1', null]])
    })

    test('a transaction runs whole or not at all', async () => {
      expect(await redis.multi().set(k('a'), '1').get(k('a')).del(k('a')).exec()).toEqual(['OK', '1', 1])
      await expect(redis.multi().set(k('b'), '1').incr(k('b')).exec()).rejects.toThrow('ERR unsupported: incr')
      expect(await redis.get(k('b'))).toBeNull()
    })

    test('only the commands the product sends are answered', async () => {
      expect(SUPPORTED).toEqual(['GET', 'SET', 'MGET', 'DEL', 'PING'])
      expect(await redis.ping()).toBe('PONG')
      for (const call of [() => redis.incr('a'), () => redis.flushall(), () => redis.keys('*'), () => redis.eval('return 1', [], [])]) {
        await expect(call()).rejects.toThrow('ERR unsupported')
      }
      await expect(redis.set('a', '1', { xx: true })).rejects.toThrow('ERR unsupported: SET with XX')
      await expect(redis.set('a', '1', { ex: -1 })).rejects.toThrow('ERR invalid expire time')
    })

    test('a wrong token, another route and a body that is no command are refused', async () => {
      await expect(new Redis({ url: `${server.url}/redis`, token: 'b', retry: false }).get('a')).rejects.toThrow('WRONGPASS')
      const post = async (path: string, body: string) => {
        const answer = await fetch(`${server.url}/redis${path}`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, body })
        return [answer.status, await answer.json()]
      }
      expect(await post('/', '["GET","nothing"]')).toEqual([200, { result: null }])
      expect(await post('/', '["GET"]')).toEqual([400, { error: "ERR wrong number of arguments for 'get' command" }])
      expect(await post('/', '[{}]')).toEqual([400, { error: 'ERR arguments must be strings' }])
      expect(await post('/pipeline', '{}')).toEqual([400, { error: 'ERR failed to parse pipeline request' }])
      expect((await post('/get/a', ''))[0]).toBe(400)
    })
  })
}

contract(
  'memory',
  async () => memoryStore({ maxBytes: 1_000_000, now: () => now }),
  async (ms) => {
    now += ms
  },
)

const url = process.env.TEST_REDIS_URL
if (url)
  contract(
    'real Redis',
    () => openRedis({ url, log: console.error }),
    (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  )
else describe.skip('real Redis: SKIPPED, set TEST_REDIS_URL to run it', () => test('the same contract as memory', () => undefined))

test('in memory the least recently used go when the bound is reached', async () => {
  const store = memoryStore({ maxBytes: 1_000 })
  const set = (key: string) => ({ name: 'SET', key, value: 'x'.repeat(50), ttlMs: null, onlyNew: false }) as const
  await store.run([set('a'), set('b'), set('c'), set('d'), { name: 'GET', key: 'a' }, set('e')], false)
  expect(await store.run([{ name: 'MGET', keys: ['a', 'b', 'c', 'd', 'e'] }], false)).toEqual([
    [expect.any(String), null, expect.any(String), expect.any(String), expect.any(String)],
  ])
})
