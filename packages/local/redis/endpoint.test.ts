import { redisContract } from './contract.ts'
import { memoryStore } from './memory.ts'

let now = 1_000_000
redisContract('Redis in memory', async () => ({
  store: memoryStore({ maxBytes: 8_000_000, now: () => now }),
  async pass(ms) {
    now += ms
  },
  fits: 2_000_000,
  more: 3_000_000,
}))
