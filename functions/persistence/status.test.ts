import type { Head } from '@twofold/core/graph/port.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { sweep, type Tenant, type World, world } from '../fixture.ts'
import { reembed } from '../schedules/reembed.ts'
import { sync } from '../schedules/sync.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  here.provider.fail(null)
  tenant = await here.tenant()
})

const status = async (key?: string) => (await tenant.get('/api/persistence/status', key ? { key } : {})).json
const settle = async () => {
  for (let i = 0; i < 4; i++) await sweep(here.deps)
}

test('an empty tenant agrees with itself, and every store says how it is', async () => {
  const store = { available: true, healthy: true, lastCheck: expect.stringMatching(/Z$/), breaker: 'closed' }
  const sync = { vectorStoreCount: 0, graphStoreCount: 0, syncPercentage: 100 }
  expect(await status()).toEqual({
    status: 'healthy',
    stores: { vectorStore: store, graphStore: store, cache: expect.objectContaining({ disabled: true, breaker: 'closed' }) },
    mode: 'normal',
    metrics: { ...sync, totalMemories: 0, owedGraphWrites: 0, owedEmbeddings: 0, owedEntities: 0, oldestOwedMs: 0, deadLetters: 0 },
    sync,
    conversations: { count: 0, turns: 0 },
    parked: [],
  })
})

test('what is owed is counted until it is paid', async () => {
  await tenant.add({ content: 'one', waitFor: 'graph' })
  here.provider.fail('server-error')
  await tenant.add({ content: 'two' })
  await tenant.add({ content: 'three', extractEntities: false })
  here.provider.fail(null)
  here.pass(5000)
  const owing = await status()
  expect(owing.metrics).toMatchObject({
    ...{ totalMemories: 3, vectorStoreCount: 1, graphStoreCount: 1, syncPercentage: 33.33 },
    ...{ owedGraphWrites: 2, owedEmbeddings: 2, owedEntities: 1, deadLetters: 0 },
  })
  expect(owing.metrics.oldestOwedMs).toBeGreaterThanOrEqual(5000)
  expect(owing.sync).toEqual({ vectorStoreCount: 1, graphStoreCount: 1, syncPercentage: 33.33 })
  expect(owing.status).toBe('healthy')
  here.pass(60_000)
  expect((await status()).status).toBe('degraded')
  await settle()
  await reembed(here.deps)()
  await settle()
  expect((await status()).metrics).toMatchObject({
    ...{ totalMemories: 3, vectorStoreCount: 3, graphStoreCount: 3, syncPercentage: 100 },
    ...{ owedGraphWrites: 0, owedEmbeddings: 0, owedEntities: 0, oldestOwedMs: 0 },
  })
})

test('deletions leave both stores, and updates count once', async () => {
  const soft = await tenant.add({ content: 'soft' })
  const hard = await tenant.add({ content: 'hard' })
  const { id } = await tenant.add({ content: 'stays' })
  await tenant.patch(`/v1/memories/${id}`, { content: 'stays, changed' })
  await settle()
  await tenant.del(`/v1/memories/${soft.id}`)
  await tenant.del(`/v1/memories/${hard.id}?hard=true`)
  expect((await status()).metrics).toMatchObject({ totalMemories: 1, vectorStoreCount: 1, graphStoreCount: 3, owedGraphWrites: 2 })
  await settle()
  expect((await status()).metrics).toMatchObject({
    totalMemories: 1,
    vectorStoreCount: 1,
    graphStoreCount: 1,
    owedGraphWrites: 0,
    syncPercentage: 100,
  })
})

test('a write that the graph refuses to the end is a dead letter, named in nobody else’s count', async () => {
  await tenant.add({ content: 'poison' })
  await here.withGraph('refusing', async () => {
    for (let i = 0; i < 6; i++) {
      await settle()
      here.pass(60_000)
    }
  })
  expect(await status()).toMatchObject({ status: 'degraded', metrics: { deadLetters: 1, owedGraphWrites: 1 } })
  const other = await here.tenant()
  expect((await other.get('/api/persistence/status')).json).toMatchObject({
    status: 'healthy',
    metrics: { totalMemories: 0, deadLetters: 0 },
  })
})

test('is for those with the scope', async () => {
  expect((await status(await tenant.keyFor(['sync'], ['*']))).status).toBe('healthy')
  expect((await status(await tenant.keyFor(['memories:read'], ['*']))).code).toBe('forbidden')
  expect((await status('tf_unknown')).code).toBe('unauthenticated')
  expect((await tenant.get('/api/persistence/status?deep=true')).json.errors[0].path).toBe('deep')
})

test('while the graph is out of reach nobody claims to know what it holds', async () => {
  await tenant.add({ content: 'one', waitFor: 'graph' })
  await here.withGraph('down', async () => {
    const unknown = { vectorStoreCount: 1, graphStoreCount: null, syncPercentage: null }
    expect(await status()).toMatchObject({ status: 'degraded', metrics: { ...unknown, totalMemories: 1 }, sync: unknown })
    expect((await tenant.get('/api/persistence/sync')).json.stats).toMatchObject(unknown)
  })
  expect((await status()).sync).toEqual({ vectorStoreCount: 1, graphStoreCount: 1, syncPercentage: 100 })
})

test('a graph that lost things is not in agreement, and one that is almost is not wholly', async () => {
  for (let i = 0; i < 2; i++) await tenant.add({ content: `fact ${i}`, extractEntities: false, waitFor: 'graph' })
  const { id: lost } = await tenant.add({ content: 'lost', extractEntities: false, waitFor: 'graph' })
  const options = { generations: [1] }
  const [node] = await here.deps.graph.heads(tenant.id, { ids: [lost] }, options)
  await here.deps.graph.prune(tenant.id, [{ node: node as Head }], options)
  expect((await status()).sync).toEqual({ vectorStoreCount: 3, graphStoreCount: 2, syncPercentage: 66.66 })
})

test('what models owe for longer than a minute is late as well', async () => {
  here.provider.fail('server-error')
  await tenant.add({ content: 'met Anna', waitFor: 'graph' })
  here.provider.fail(null)
  expect(await status()).toMatchObject({ status: 'healthy', metrics: { owedGraphWrites: 0, owedEmbeddings: 1, owedEntities: 1 } })
  here.pass(61_000)
  const late = await status()
  expect(late.status).toBe('degraded')
  expect(late.metrics.oldestOwedMs).toBeGreaterThan(60_000)
  await reembed(here.deps)()
  await settle()
  expect(await status()).toMatchObject({ status: 'healthy', metrics: { oldestOwedMs: 0 } })
})

test('what drifts is not healthy, until it is repaired', async () => {
  const { id } = await tenant.add({ content: 'one', extractEntities: false, waitFor: 'graph' })
  await here.owner(`update twofold.ledger set digest_high = digest_high # 1 where id = '${id}'`)
  await tenant.post('/api/persistence/sync', { operation: 'check' })
  expect((await status()).status).toBe('degraded')
  await tenant.post('/api/persistence/sync', { operation: 'repair' })
  expect((await status()).status).toBe('healthy')
})

test('the statistics name the next round of the schedule that compares, where there is one', async () => {
  const stats = async (it = tenant) => (await it.get('/api/persistence/sync')).json.stats
  expect(await stats()).toMatchObject({ lastRun: null, nextRun: null })
  const before = here.deps.now().getTime()
  await sync(here.deps)()
  const interval = here.deps.settings.syncIntervalMs
  const next = Date.parse((await stats()).nextRun)
  expect(next).toBeGreaterThanOrEqual(before + interval)
  expect(next).toBeLessThanOrEqual(here.deps.now().getTime() + interval)
  // Overdue is due now.
  here.pass(2 * interval)
  expect(Date.parse((await stats()).nextRun)).toBeGreaterThan(next)
  await tenant.post('/api/persistence/sync', { operation: 'check' })
  expect(Date.parse((await stats()).lastRun)).toBeGreaterThanOrEqual(before + 2 * interval)
  const alone = await world({ ENABLE_AUTO_SYNC: 'false' })
  try {
    expect(await sync(alone.deps)()).toEqual({ skipped: true })
    expect(await stats(await alone.tenant())).toMatchObject({ nextRun: null })
  } finally {
    await alone.close()
  }
})
