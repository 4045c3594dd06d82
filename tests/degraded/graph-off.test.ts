import { sweep, type Tenant, type World, world } from '@twofold/functions/fixture.ts'
import { reembed } from '@twofold/functions/schedules/reembed.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

let here: World
let asks: Tenant
beforeAll(async () => {
  here = await world({ ENABLE_GRAPH_STORE: 'false' })
})
afterAll(() => here.close())
beforeEach(async () => {
  asks = await here.tenant()
})

const disabled = {
  graphWriteSuccess: false,
  vectorWriteSuccess: true,
  stores: { graph: { state: 'disabled', version: null, at: null } },
  owed: [],
}

test('with the graph switched off every receipt says so, and the status counts nothing as owed to it, however late', async () => {
  const made = await asks.post('/v1/memories', { userId: 'alice', content: 'Anna knows Bert', waitFor: 'graph' })
  expect([made.status, made.json.receipt]).toMatchObject([201, disabled])
  const { id } = made.json.memory
  // There is no graph that could refuse it, so nothing is rolled back.
  const rollback = await asks.post('/v1/memories', { userId: 'alice', content: 'Clara', onGraphFailure: 'rollback' })
  expect([rollback.status, rollback.json.receipt]).toMatchObject([201, disabled])
  const batch = await asks.post('/v1/memories/batch', { items: [{ userId: 'alice', content: 'Dora' }] })
  expect(batch.json.items[0].receipt).toMatchObject(disabled)
  expect((await asks.get(`/v1/memories/${id}`)).json.receipt).toMatchObject(disabled)
  expect((await asks.patch(`/v1/memories/${id}`, { content: 'Anna knows Emil' })).json.receipt).toMatchObject(disabled)
  expect((await asks.del(`/v1/memories/${id}`)).json.receipt).toMatchObject(disabled)
  expect((await asks.post(`/v1/memories/${id}/restore`)).json.receipt).toMatchObject(disabled)
  expect((await asks.del(`/v1/memories/${id}?hard=true`)).json.receipt).toMatchObject(disabled)
  here.pass(120_000)
  expect((await asks.get('/api/persistence/status')).json).toMatchObject({
    status: 'healthy',
    metrics: { owedGraphWrites: 0, oldestOwedMs: 0 },
  })
  expect(await here.owner('select count(*) as n from graph.nodes')).toEqual([{ n: '0' }])
})

test('with the graph switched off everything that needs none works, and entities are still known', async () => {
  const { id } = await asks.add({ content: 'Anna knows Bert', key: 'who' })
  for (const mode of ['vector', 'text', 'hybrid']) expect(await asks.found({ query: 'Anna knows Bert', mode })).toEqual([id])
  const search = await asks.post('/v1/memories/search', { userId: 'alice', query: 'Bert', expand: { hops: 2 } })
  expect(search.json.results.map((r: any) => r.memory.id)).toEqual([id])
  expect(search.json.freshness.graphLagMs).toBe(0)
  const entities = (await asks.get('/v1/graph/entities')).json.items.map((e: any) => e.value)
  expect(entities.sort()).toEqual(['Anna', 'Bert'])
  await asks.patch(`/v1/memories/${id}`, { content: 'Anna knows Clara' })
  here.pass(1000)
  await sweep(here.deps)
  await reembed(here.deps)()
  expect((await asks.get('/v1/graph/entities')).json.items.map((e: any) => e.value).sort()).toEqual(['Anna', 'Clara'])
  expect((await asks.get('/api/persistence/status')).json).toMatchObject({
    status: 'healthy',
    mode: 'normal',
    stores: { graphStore: { disabled: true } },
    metrics: { totalMemories: 1, vectorStoreCount: 1, owedGraphWrites: 0, deadLetters: 0, syncPercentage: 100 },
  })
})

test('with the graph switched off a question to it is answered by why, not by nothing', async () => {
  await asks.add({ content: 'Anna knows Bert' })
  const { status, json } = await asks.post('/v1/graph/query', { start: { value: 'Anna' } })
  expect([status, json.code, json.detail]).toEqual([503, 'unavailable', 'The graph is switched off in this deployment.'])
})
