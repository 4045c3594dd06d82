import { setTimeout as sleep } from 'node:timers/promises'
import { openRedis } from '@twofold/local/redis/server.ts'
import { cacheContract } from './contract.ts'

cacheContract('with a real Redis', async () => ({
  store: await openRedis({ url: process.env.TEST_REDIS_URL as string, log: console.error }),
  pass: (ms) => sleep(ms),
}))
