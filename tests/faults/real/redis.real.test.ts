import { createClient } from 'redis'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { recovered, type Scene, type Store, scene, status } from './stores.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let it: Scene
let redis: Store
beforeAll(async () => {
  it = await scene('postgres', 'redis')
  // Open until all has been asked that is asked while Redis is away.
  await it.serve({ BREAKER_RECOVERY_MS: '10000' })
  redis = it.stores.redis as Store
})
afterAll(() => it.close())

const add = (content: string) => it.asks.post('/v1/memories', { userId: 'alice', content, extractEntities: false })
const search = async (query: string) => {
  const answer = await it.asks.post('/v1/memories/search', { userId: 'alice', query, mode: 'vector', threshold: 0.99 })
  expect(answer.status).toBe(200)
  return answer.json.results.map(({ memory }: any) => memory.content)
}
/** What the search found, and whether the model had to be asked for it. */
const asking = async (query: string) => {
  const before = it.provider.requests.embeddings
  const found = await search(query)
  return [found, it.provider.requests.embeddings - before]
}
const open = () => createClient({ url: redis.running.url })
const inRedis = async <T>(work: (client: ReturnType<typeof open>) => Promise<T>): Promise<T> => {
  const client = open()
  await client.connect()
  try {
    return await work(client)
  } finally {
    client.destroy()
  }
}

test('a flushed Redis costs a call of the model, and nothing else', async () => {
  const made = await add('the lighthouse is red')
  expect(made.json.receipt.stores.cache.state).toBe('written')
  expect(await asking('the lighthouse is red')).toEqual([['the lighthouse is red'], 0])
  await inRedis((client) => client.flushAll())
  expect(await asking('the lighthouse is red')).toEqual([['the lighthouse is red'], 1])
  expect(await asking('the lighthouse is red')).toEqual([['the lighthouse is red'], 0])
  const changed = await it.asks.patch(`/v1/memories/${made.json.memory.id}`, { content: 'a windmill turns slowly' })
  expect([changed.status, changed.json.receipt.stores.cache.state]).toEqual([200, 'written'])
  expect(await search('the lighthouse is red')).toEqual([])
  expect(await search('a windmill turns slowly')).toEqual(['a windmill turns slowly'])
})

test.each([
  ['killed', () => redis.kill(), () => redis.start()],
  ['paused', async () => redis.running.pause(), async () => redis.running.resume()],
] as const)('while Redis is %s every answer is right and says so, and it is used again by itself', async (fault, goes, comes) => {
  const { id } = (await add(`before it was ${fault}`)).json.memory
  await goes()
  for (let n = 0; n < 5; n++) {
    const made = await add(`${fault} ${n}`)
    expect([made.status, made.json.receipt.stores.cache.state, made.json.receipt.owed]).toEqual([201, 'failed', ['graph', 'cache']])
    expect(await search(`${fault} ${n}`)).toEqual([`${fault} ${n}`])
  }
  const changed = await it.asks.patch(`/v1/memories/${id}`, { content: `changed while ${fault}` })
  expect([changed.status, changed.json.receipt.stores.cache.state]).toEqual([200, 'failed'])
  expect(await search(`before it was ${fault}`)).toEqual([])
  expect(await search(`changed while ${fault}`)).toEqual([`changed while ${fault}`])
  expect(await status(it.asks)).toMatchObject({
    status: 'degraded',
    mode: 'normal',
    stores: { cache: { available: false, healthy: false, breaker: 'open' }, vectorStore: { healthy: true }, graphStore: { healthy: true } },
  })
  await comes()
  expect((await recovered(it.asks)).stores.cache).toMatchObject({ available: true, healthy: true, breaker: 'closed' })
  expect((await add(`after it was ${fault}`)).json.receipt.stores.cache.state).toBe('written')
  expect(await asking(`after it was ${fault}`)).toEqual([[`after it was ${fault}`], 0])
  expect(await search(`before it was ${fault}`)).toEqual([])
})
