import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { sweep, type Tenant, type World, world } from '../fixture.ts'
import { reembed } from '../schedules/reembed.ts'

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
