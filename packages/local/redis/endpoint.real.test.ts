import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openRedis as openServer } from '@twofold/servers/servers.ts'
import { expect, test } from 'vitest'
import { redisContract } from './contract.ts'
import type { RedisStore } from './memory.ts'
import { openRedis } from './server.ts'

const folder = () => mkdtemp(join(tmpdir(), 'twofold-redis-'))
const GET = { name: 'GET', key: 'a' } as const
const SET = { name: 'SET', key: 'a', value: '1', ttlMs: null, onlyNew: false } as const

redisContract('a real Redis', async () => {
  const data = await folder()
  // A server of its own, as it must be a small one; by default it looks at five keys for the least recently used.
  const settings = { maxmemory: '16mb', 'maxmemory-policy': 'allkeys-lru', 'maxmemory-samples': '64' }
  const server = await openServer({ folder: data, settings })
  return {
    store: await openRedis({ url: server.url, log: console.error }),
    pass: (ms) => sleep(ms),
    fits: 6_000_000,
    more: 12_000_000,
    async close() {
      await server.stop()
      await rm(data, { recursive: true })
    },
  }
})

/** Until it answers what is right, or for ten seconds. */
async function answered(store: RedisStore): Promise<unknown> {
  for (const end = performance.now() + 10_000; ; await sleep(50)) {
    const replies = await store.run([SET, GET], true).catch((error: Error) => error)
    if (Array.isArray(replies) || performance.now() > end) return replies
  }
}

test('a Redis that is away, comes, goes and comes again is told of once each time, and used whenever it is there', {
  timeout: 60_000,
}, async () => {
  const data = await folder()
  let server = await openServer({ folder: data })
  const { url, port } = server
  await server.stop()
  const said: string[] = []
  const store = await openRedis({ url: url.replace('redis://', 'redis://default:hunter2@'), log: (line) => said.push(line) })
  await expect(store.run([GET], false)).rejects.toThrow()
  const away = expect.stringMatching(/^Redis at REDIS_URL cannot be reached: .+; running without a cache until it can$/)
  expect(said).toEqual([away])
  try {
    server = await openServer({ folder: data, port })
    expect(await answered(store)).toEqual(['OK', '1'])
    expect(said).toEqual([away, 'Redis at REDIS_URL answers again'])
    await server.kill()
    await expect(store.run([GET], false)).rejects.toThrow()
    expect(said).toEqual([away, 'Redis at REDIS_URL answers again', away])
    server = await openServer({ folder: data, port })
    expect(await answered(store)).toEqual(['OK', '1'])
    expect(said).toHaveLength(4)
    await server.kill()
    await expect(store.run([GET], false)).rejects.toThrow()
  } finally {
    await store.close()
    await rm(data, { recursive: true })
  }
  expect(said.join()).not.toMatch(/hunter2/)
})
