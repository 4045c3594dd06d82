import { sweep } from '@twofold/functions/fixture.ts'
import { reembed } from '@twofold/functions/schedules/reembed.ts'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { DIMENSIONS, type Hosted, hosted, type Tenant } from '../hosted.ts'
import { vectorOf } from '../random.ts'

let it: Hosted
let asks: Tenant
beforeAll(async () => {
  it = await hosted({}, { LANGUAGE_MODEL: 'openai:test-language' })
})
beforeEach(async () => {
  asks = await it.tenant()
})
afterEach(async () => {
  it.provider.fail(null)
  it.redis.decide = undefined
  it.database.decide = undefined
  // The circuits that a test has opened close with the first answer after their pause.
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(Date.now() + 31_000)
  await Promise.all([it.deps.cache.health(), it.deps.db.health()])
  vi.useRealTimers()
})
afterAll(() => it.close())

const add = (content: string, more: object = {}) => asks.post('/v1/memories', { userId: 'alice', content, ...more })
const search = async (query: string, more: object = {}) => {
  const { status, json } = await asks.post('/v1/memories/search', { userId: 'alice', query, ...more })
  expect(status).toBe(200)
  return json
}

describe('a cache that', () => {
  test.each(['hang', 'error', 'cut before', 'cut after'] as const)(
    'answers nothing of use (%s) makes nothing wrong, and says so in receipts and status',
    async (fate) => {
      it.redis.decide = () => fate
      const made = await add(`written while ${fate}`)
      expect([made.status, made.json.receipt.stores.cache.state, made.json.receipt.owed]).toEqual([201, 'failed', ['graph', 'cache']])
      const { id } = made.json.memory
      expect((await search(`written while ${fate}`, { mode: 'vector' })).results[0].memory.id).toBe(id)
      const patched = await asks.patch(`/v1/memories/${id}`, { content: `rewritten while ${fate}` })
      expect([patched.status, patched.json.receipt.stores.cache.state]).toEqual([200, 'failed'])
      expect((await search(`rewritten while ${fate}`, { mode: 'vector', threshold: 0.999 })).results[0].memory.version).toBe(2)
      const state = (await asks.get('/api/persistence/status')).json
      expect([state.status, state.stores.cache.healthy, state.stores.vectorStore.healthy]).toEqual(['degraded', false, true])
      expect((await asks.del(`/v1/memories/${id}?hard=true`)).json.receipt).toMatchObject({ stores: { cache: { state: 'failed' } } })
      expect((await search(`rewritten while ${fate}`)).results).toEqual([])
      it.redis.decide = undefined
      vi.useFakeTimers({ toFake: ['Date'] })
      vi.setSystemTime(Date.now() + 31_000)
      expect((await add('afterwards')).json.receipt.stores.cache.state).toBe('written')
      vi.useRealTimers()
    },
  )

  test('holds a vector of another size for a text is not believed', async () => {
    await add('warm words')
    const keys = new Set(it.redis.seen.flatMap(({ body }) => body.match(/tf1:e:[\w-]+/g) ?? []))
    const wrong = Buffer.from(Float32Array.from({ length: DIMENSIONS / 2 }, () => 0.1).buffer).toString('base64')
    for (const key of keys) await it.redisStore.run([{ name: 'SET', key, value: wrong, ttlMs: null, onlyNew: false }], false)
    const again = await add('warm words')
    expect([again.status, again.json.receipt.vectorWriteSuccess]).toEqual([201, true])
    expect((await search('warm words', { mode: 'vector', threshold: 0.9999 })).results).toHaveLength(2)
  })
})

test('while the language model is down a memory owes its entities; they are made up later, and the graph shows them', async () => {
  it.provider.fail('server-error')
  const content = 'Anna works with Bert'
  const made = await add(content, { embedding: vectorOf(content, DIMENSIONS), waitFor: 'graph' })
  expect([made.status, made.json.receipt]).toMatchObject([201, { vectorWriteSuccess: true, graphWriteSuccess: true, owed: ['entities'] }])
  expect(made.json.memory.entities).toEqual([])
  await reembed(it.deps)()
  expect((await asks.get('/api/persistence/status')).json.metrics).toMatchObject({ owedEntities: 1, owedEmbeddings: 0 })
  it.provider.fail(null)
  await reembed(it.deps)()
  for (let i = 0; i < 3; i++) await sweep(it.deps)
  const { memory, receipt } = (await asks.get(`/v1/memories/${made.json.memory.id}`)).json
  expect([memory.version, memory.entities.map((e: any) => e.value), receipt.owed]).toEqual([1, ['Anna', 'Bert'], []])
  const { nodes } = (await asks.post('/v1/graph/query', { start: { value: 'Bert' }, hops: 1 })).json
  expect(nodes.map((n: any) => n.value ?? n.content).sort()).toEqual(['Anna', content, 'Bert'].sort())
})

test('with cache, models and graph down at once a memory is stored, found by its words, and made whole once they are back', async () => {
  it.provider.fail('server-error')
  it.redis.decide = () => 'error'
  await it.owner('alter table graph.nodes rename to nodes_away')
  const made = await add('Clara sails a catamaran', { waitFor: 'graph' })
  expect(made.status).toBe(201)
  expect(made.json.receipt).toMatchObject({
    vectorWriteSuccess: false,
    graphWriteSuccess: false,
    owed: ['embedding', 'entities', 'graph', 'cache'],
  })
  const found = await search('catamaran', { expand: { hops: 1 } })
  expect(found.results.map((r: any) => r.memory.id)).toEqual([made.json.memory.id])
  expect(found.degraded).toEqual(['embedding', 'graph'])
  expect((await asks.get('/api/persistence/status')).json.status).toBe('degraded')
  await it.owner('alter table graph.nodes_away rename to nodes')
  it.redis.decide = undefined
  it.provider.fail(null)
  await reembed(it.deps)()
  for (let i = 0; i < 3; i++) await sweep({ ...it.deps, now: () => new Date(Date.now() + 60_000) })
  expect((await asks.get(`/v1/memories/${made.json.memory.id}`)).json.receipt.owed).toEqual([])
  expect((await search('Clara sails a catamaran', { mode: 'vector', threshold: 0.9999 })).results).toHaveLength(1)
})

test('while the database is away a request is refused with when to come again, and it works again by itself', async () => {
  const { id } = (await add('before')).json.memory
  await it.database.shut()
  for (let n = 0; n < 3; n++) {
    for (const { status, json, headers } of [await asks.get(`/v1/memories/${id}`), await add('meanwhile')]) {
      expect([status, json.code, json.retryAfterMs, headers.get('retry-after')]).toEqual([503, 'unavailable', 1000, '1'])
    }
  }
  expect((await it.deps.db.health()).breaker).toBe('open')
  await it.database.open()
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(Date.now() + 31_000)
  expect((await asks.get(`/v1/memories/${id}`)).json.memory.content).toBe('before')
  vi.useRealTimers()
  expect((await it.deps.db.health()).breaker).toBe('closed')
  expect((await asks.get('/v1/memories?userId=alice')).json.items).toHaveLength(1)
})
