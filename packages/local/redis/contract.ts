import { Redis } from '@upstash/redis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Listening, listen } from '../http/listen.ts'
import { SUPPORTED } from './commands.ts'
import { redisEndpoint } from './endpoint.ts'
import type { RedisStore } from './memory.ts'

const TOKEN = 'a-token'

export interface Opened {
  store: RedisStore
  /** Lets time pass for what expires. */
  pass(ms: number): Promise<unknown>
  /** What it holds with room to spare, in bytes, and what it cannot hold beside that but alone. */
  fits: number
  more: number
  close?(): Promise<void>
}

/** What Upstash's own client must see of every store behind the endpoint. */
export function redisContract(name: string, open: () => Promise<Opened>): void {
  describe(name, () => {
    let opened: Opened
    let server: Listening
    let redis: Redis
    const at = (more: object = {}) =>
      new Redis({
        url: `${server.url}/redis`,
        token: TOKEN,
        ...{ automaticDeserialization: false, retry: false as const, enableTelemetry: false },
        ...more,
      })

    beforeAll(async () => {
      opened = await open()
      server = await listen({ redis: redisEndpoint({ store: opened.store, token: TOKEN }) }, { log: console.error })
      redis = at()
    }, 60_000)
    beforeEach(async () => void (await redis.del('a', 'b', 'c', 'd')))
    afterAll(async () => {
      await server.close()
      await opened.store.close()
      await opened.close?.()
    })

    test('values come back as they were set, whatever they hold', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
      const texts = ['42', '', 'naïve 日本語 🧠', '{"a":1}', 'OK', 'x\0y', '\r\n+OK\r\n', 'é🧠x'.repeat(200_000)]
      // As our vectors go, and each byte as a character.
      for (const value of [...texts, bytes.toString('base64'), bytes.toString('latin1')]) {
        expect(await redis.set('a', value)).toBe('OK')
        for (const reader of [redis, at({ responseEncoding: false })]) {
          expect((await reader.get('a')) === value).toBe(true)
          expect((await reader.mget('b', 'a'))[1] === value).toBe(true)
        }
        await redis.set(value.slice(0, 1_000), 'under it')
        expect(await redis.get(value.slice(0, 1_000))).toBe('under it')
      }
      expect(await redis.get('nothing')).toBeNull()
      expect(await redis.mget('a', 'nothing', 'a')).toEqual([bytes.toString('latin1'), null, bytes.toString('latin1')])
      expect(await redis.del('a', 'nothing', 'a')).toBe(1)
      expect(await redis.get('a')).toBeNull()
    })

    test('half a surrogate pair, which JSON lets through, is stored as the replacement character', async () => {
      await redis.set('a', 'x\ud83ey')
      expect(await redis.get('a')).toBe('x\ufffdy')
    })

    test('a value expires after its time to live and not before, and one that is set again has the new time', async () => {
      await redis.set('a', '1', { px: 2_000 })
      await redis.set('b', '1', { ex: 100 })
      await redis.set('c', '1', { px: 2_000 })
      await redis.set('c', '2')
      await redis.set('d', '1', { px: 2_000 })
      await redis.set('d', '2', { px: 100_000 })
      expect(await redis.mget('a', 'b', 'c', 'd')).toEqual(['1', '1', '2', '2'])
      await opened.pass(2_100)
      expect(await redis.mget('a', 'b', 'c', 'd')).toEqual([null, '1', '2', '2'])
      expect(await redis.del('a')).toBe(0)
    })

    test('with NX the first one wins and keeps its time to live, and what has expired is no more', async () => {
      expect(await redis.set('a', 'first', { nx: true, px: 2_000 })).toBe('OK')
      expect(await redis.set('a', 'second', { nx: true, ex: 60 })).toBeNull()
      expect(await redis.get('a')).toBe('first')
      await opened.pass(2_100)
      expect(await redis.set('a', 'third', { nx: true })).toBe('OK')
      const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => redis.set('b', String(i), { nx: true })))
      expect(answers.filter((answer) => answer === 'OK')).toHaveLength(1)
    })

    test('a pipeline answers each command in order, and one that is wrong fails alone', async () => {
      const replies = await redis.pipeline().set('a', '1').get('a').incr('a').mget('a', 'b').exec({ keepErrors: true })
      expect(replies.map((reply) => reply.error ?? reply.result)).toEqual(['OK', '1', 'ERR unsupported: incr', ['1', null]])
      const long = redis.pipeline()
      for (let i = 0; i < 500; i++) long.set('a', String(i)).get('a')
      expect((await long.exec()).filter((_, i) => i % 2 === 1)).toEqual(Array.from({ length: 500 }, (_, i) => String(i)))
    })

    test('a transaction runs whole or not at all, with nothing of another in between', async () => {
      expect(await redis.multi().set('a', '1').get('a').del('a').exec()).toEqual(['OK', '1', 1])
      await expect(redis.multi().set('b', '1').incr('b').exec()).rejects.toThrow('ERR unsupported: incr')
      expect(await redis.get('b')).toBeNull()
      const rounds = await Promise.all(
        Array.from({ length: 40 }, (_, i) => redis.multi().set('a', String(i)).set('b', String(i)).mget('a', 'b').exec()),
      )
      expect(rounds.map((replies) => replies[2])).toEqual(rounds.map((_, i) => [String(i), String(i)]))
      const [a, b] = await redis.mget('a', 'b')
      expect(a).toBe(b)
    })

    test('only the commands the product sends are answered; scripts, counters and what looks through keys are not', async () => {
      expect(SUPPORTED).toEqual(['GET', 'SET', 'MGET', 'DEL', 'PING'])
      expect(await redis.ping()).toBe('PONG')
      const others = [
        () => redis.incr('a'),
        () => redis.flushall(),
        () => redis.keys('*'),
        () => redis.eval('return 1', [], []),
        () => redis.evalsha('0'.repeat(40), [], []),
        () => redis.scriptLoad('return 1'),
        () => redis.hset('a', { b: 1 }),
        () => redis.expire('a', 1),
      ]
      for (const call of others) await expect(call()).rejects.toThrow('ERR unsupported')
      await expect(redis.set('a', '1', { xx: true })).rejects.toThrow('ERR unsupported: SET with XX')
      await expect(redis.set('a', '1', { ex: -1 })).rejects.toThrow('ERR invalid expire time')
    })

    test('a wrong token, another route and a body that is no command are refused', async () => {
      await expect(at({ token: 'b' }).get('a')).rejects.toThrow('WRONGPASS')
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

    test('what does not fit drives out what was not used for longest, and what is used stays', async () => {
      const value = 'x'.repeat(10_000)
      const keys = (bytes: number, from: string) => Array.from({ length: bytes / value.length }, (_, i) => `${from}${i}`)
      const used = Array.from({ length: 20 }, (_, i) => `used${i}`)
      const left = async (some: string[]) => (await redis.mget(...some)).filter((found) => found !== null).length
      const fill = async (some: string[]) => {
        for (let i = 0; i < some.length; i += 20) {
          const pipeline = redis.pipeline()
          for (const key of some.slice(i, i + 20)) pipeline.set(key, value)
          await pipeline.mget(...used).exec()
        }
      }
      for (const key of used) await redis.set(key, 'always')
      const early = keys(opened.fits, 'early')
      await fill(early)
      expect(await left(early)).toBe(early.length)
      // Redis knows when a key was used to the second, and compares some keys, not all: it is right for nearly all.
      await opened.pass(1_500)
      const late = keys(opened.more, 'late')
      await fill(late)
      expect(await left(early)).toBeLessThan(0.8 * early.length)
      expect(await left(used)).toBeGreaterThanOrEqual(0.9 * used.length)
      expect(await left(late)).toBeGreaterThanOrEqual(0.9 * late.length)
      await redis.del(...used, ...early, ...late)
    })
  })
}
