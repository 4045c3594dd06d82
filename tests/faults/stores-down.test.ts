import { GraphStoreError } from '@twofold/core/failures.ts'
import type { GraphPort } from '@twofold/core/graph/port.ts'
import { sweep } from '@twofold/functions/fixture.ts'
import { reembed } from '@twofold/functions/schedules/reembed.ts'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type Hosted, hosted, type Tenant } from '../hosted.ts'

let it: Hosted
let asks: Tenant
let graph: GraphPort
beforeAll(async () => {
  it = await hosted()
  graph = it.deps.graph
})
beforeEach(async () => {
  asks = await it.tenant()
})
afterEach(() => {
  vi.useRealTimers()
  it.deps.graph = graph
  it.provider.fail(null)
})
afterAll(() => it.close())

const later = (ms: number) => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(Date.now() + ms)
}
const status = async () => (await asks.get('/api/persistence/status')).json

/** The graph, away: before it does anything, or only before it says that it did. */
function graphDown(when: 'before' | 'after'): void {
  const away = async (): Promise<never> => {
    throw new GraphStoreError('away', { retryable: true })
  }
  const apply: GraphPort['apply'] = async (...what) => {
    if (when === 'after') await graph.apply(...what)
    return away()
  }
  const health: GraphPort['health'] = async () => ({ ...(await graph.health()), available: false, healthy: false })
  it.deps.graph = { ...graph, apply, traverse: away, counts: away, purge: away, health }
}

test('without Redis everything is slower and right, says so, and is as before once it is back', async () => {
  const remembered = (await asks.post('/v1/memories', { userId: 'a', content: 'The lighthouse is red.' })).json
  expect(remembered.receipt.stores.cache.state).toBe('written')
  const search = async () => (await asks.post('/v1/memories/search', { userId: 'a', query: 'lighthouse colour', mode: 'vector' })).json
  const embedded = async (work: () => Promise<unknown>) => {
    const before = it.provider.requests.embeddings
    await work()
    return it.provider.requests.embeddings - before
  }
  await search()
  expect(await embedded(search)).toBe(0)

  await it.redis.shut()
  expect(await embedded(search)).toBe(1)
  expect((await search()).results[0].memory.id).toBe(remembered.memory.id)
  const changed = await asks.patch(`/v1/memories/${remembered.memory.id}`, { content: 'The lighthouse is white.' })
  expect([changed.status, changed.json.receipt.stores.cache.state, changed.json.receipt.owed]).toEqual([200, 'failed', ['graph', 'cache']])
  expect((await search()).results[0].memory.content).toBe('The lighthouse is white.')
  expect(await status()).toMatchObject({ status: 'degraded', stores: { cache: { available: false, healthy: false } }, mode: 'normal' })

  await it.redis.open()
  later(11_000)
  const again = await asks.patch(`/v1/memories/${remembered.memory.id}`, { content: 'The lighthouse is green.' })
  expect(again.json.receipt.stores.cache.state).toBe('written')
  await sweep(it.deps)
  expect(await status()).toMatchObject({ status: 'healthy', stores: { cache: { healthy: true, breaker: 'closed' } } })
})

test('however the embedding model fails, the memory is stored and found by its words, and embedded later; no wrong vector is ever kept', async () => {
  const failures = [
    'server-error',
    'unauthorized',
    'rate-limited',
    'cut',
    'malformed',
    'wrong-dimensions',
    'null-in-vector',
    'zero-vector',
    'wrong-count',
  ] as const
  for (const failure of failures) {
    it.provider.fail(failure)
    const { status: code, json } = await asks.post('/v1/memories', {
      userId: 'a',
      content: `Found although ${failure} happened.`,
      extractEntities: false,
    })
    expect([failure, code, json.receipt.vectorWriteSuccess, json.receipt.owed]).toEqual([failure, 201, false, ['embedding', 'graph']])
    const { results, degraded } = (await asks.post('/v1/memories/search', { userId: 'a', query: `Found although ${failure} happened` }))
      .json
    expect(degraded).toEqual(['embedding'])
    expect(results[0].memory.id).toBe(json.memory.id)
  }
  const vectors = async () =>
    Number(
      (
        await it.owner(
          `select count(*) as n from twofold.embeddings e join twofold.tenants t on t.id = e.tenant_id where t.uuid = '${asks.id}'`,
        )
      )[0]?.n,
    )
  expect(await vectors()).toBe(0)
  expect((await status()).metrics).toMatchObject({ owedEmbeddings: failures.length, vectorStoreCount: 0 })

  await reembed(it.deps)()
  expect((await status()).metrics.owedEmbeddings).toBe(failures.length)
  it.provider.fail(null)
  await reembed(it.deps)()
  expect((await status()).metrics).toMatchObject({ owedEmbeddings: 0, vectorStoreCount: failures.length })
  const { results, degraded } = (
    await asks.post('/v1/memories/search', { userId: 'a', query: 'Found although malformed happened.', mode: 'vector' })
  ).json
  expect(degraded).toEqual([])
  expect(results[0]).toMatchObject({ memory: { content: 'Found although malformed happened.', version: 1 } })
  expect(results[0].parts.vector).toBeGreaterThan(0.999)
})

test('without the graph writes are accepted and owed, reads say how far it lags, and it catches up by itself', async () => {
  const before = (await asks.post('/v1/memories', { userId: 'a', content: 'Ada knows Grace.', waitFor: 'graph' })).json
  expect(before.receipt).toMatchObject({ graphWriteSuccess: true, owed: [] })
  graphDown('before')
  const owed = await asks.post('/v1/memories', { userId: 'a', content: 'Grace knows Alan.', waitFor: 'graph' })
  expect([owed.status, owed.json.receipt.stores.graph.state, owed.json.receipt.owed]).toEqual([201, 'owed', ['graph']])
  later(5_000)
  const search = (await asks.post('/v1/memories/search', { userId: 'a', query: 'Who knows Alan?', expand: { hops: 2 } })).json
  expect(search.degraded).toEqual(['graph'])
  expect(search.results.map((r: any) => r.memory.id)).toContain(owed.json.memory.id)
  expect(search.freshness.graphLagMs).toBeGreaterThanOrEqual(5_000)
  const query = await asks.post('/v1/graph/query', { start: { memoryId: before.memory.id }, hops: 1, namespacePrefix: 'user:a' })
  expect([query.status, query.json.code, query.headers.get('retry-after')]).toEqual([503, 'unavailable', '1'])
  await sweep(it.deps)
  expect(await status()).toMatchObject({
    status: 'degraded',
    mode: 'essential-only',
    stores: { graphStore: { available: false } },
    metrics: { owedEmbeddings: 0, deadLetters: 0, totalMemories: 2 },
  })
  expect((await status()).metrics.owedGraphWrites).toBeGreaterThan(0)

  it.deps.graph = graph
  later(60_000)
  await sweep(it.deps)
  expect(await status()).toMatchObject({
    status: 'healthy',
    metrics: { owedGraphWrites: 0, totalMemories: 2, graphStoreCount: 2, vectorStoreCount: 2 },
  })
  const { nodes } = (await asks.post('/v1/graph/query', { start: { memoryId: owed.json.memory.id }, hops: 1, namespacePrefix: 'user:a' }))
    .json
  expect(nodes.map((node: any) => node.value ?? node.content)).toContain('Grace')
})

test('where the graph is to decide and cannot, nothing is left in either store, even if it took the write and could not say so', async () => {
  for (const when of ['before', 'after'] as const) {
    graphDown(when)
    const headers = { 'idempotency-key': `decides-${when}` }
    const body = { userId: 'a', key: 'the-key', content: `Nobody saw this ${when}.`, waitFor: 'graph', onGraphFailure: 'rollback' }
    const refused = await asks.post('/v1/memories', body, { headers })
    expect([refused.status, refused.json.code]).toEqual([503, 'unavailable'])
    it.deps.graph = graph
    later(60_000)
    await sweep(it.deps)
    await sweep(it.deps)
    expect((await status()).metrics).toMatchObject({ totalMemories: 0, graphStoreCount: 0, vectorStoreCount: 0, owedGraphWrites: 0 })
    const found = (await asks.post('/v1/memories/search', { userId: 'a', query: body.content })).json.results
    expect(found).toEqual([])
    const left = await it.owner(`select (select count(*) from twofold.memory_versions v where v.memory::text like '%Nobody saw this%')
      + (select count(*) from graph.nodes n join twofold.tenants t on t.id = n.tenant_id where t.uuid = '${asks.id}' and n.gone_at is null) as n`)
    expect(left).toEqual([{ n: '0' }])

    const taken = await asks.post('/v1/memories', body, { headers })
    expect([taken.status, taken.headers.get('idempotency-replayed'), taken.json.receipt.owed]).toEqual([201, null, []])
    await asks.del(`/v1/memories/${taken.json.memory.id}?hard=true`)
    await sweep(it.deps)
    await sweep(it.deps)
  }
})
