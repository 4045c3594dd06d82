import { setTimeout as sleep } from 'node:timers/promises'
import neo4j, { type Driver } from 'neo4j-driver-lite'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { eventually } from '../../client.ts'
import { vectorOf } from '../../random.ts'
import { bothSides, DIMENSIONS, recovered, type Scene, type Store, scene, status } from './stores.ts'

/** Neo4j takes its time to start. */
vi.setConfig({ testTimeout: 480_000, hookTimeout: 180_000 })

let it: Scene
let store: Store
beforeAll(async () => {
  it = await scene('postgres', 'neo4j')
  store = it.stores.neo4j as Store
})
afterAll(() => it.close())

const remembers = (content: string, more: object = {}) => ({
  userId: 'alice',
  content,
  embedding: vectorOf(content, DIMENSIONS),
  entities: [
    { type: 'person', value: `${content} by Anna` },
    { type: 'place', value: `${content} in Berlin` },
  ],
  extractEntities: false,
  ...more,
})
const add = (content: string, more: object = {}) => it.asks.post('/v1/memories', remembers(content, more))

/** Writes are taken and owed, what the graph was to decide is refused, and however often it is tried nothing is parked. */
async function expectOwed(name: string): Promise<void> {
  const many = await it.asks.post('/v1/memories/batch', { items: Array.from({ length: 200 }, (_, n) => remembers(`${name} ${n}`)) })
  expect(many.json.items.filter(({ ok }: any) => !ok)).toEqual([])
  const waited = await add(`${name} waited`, { waitFor: 'graph' })
  expect([waited.status, waited.json.receipt.stores.graph.state]).toEqual([201, 'owed'])
  const refused = await add(`${name} refused`, { onGraphFailure: 'rollback' })
  expect([refused.status, refused.json.code, refused.headers.get('retry-after')]).toEqual([503, 'unavailable', '1'])
  expect(refused.json.detail).toContain('nothing was stored')
  const listed = await it.asks.get('/v1/memories?userId=alice&includeDeleted=true&limit=500')
  expect(listed.json.items.map(({ content }: any) => content)).not.toContain(`${name} refused`)
  // More often than a row may be refused before it is parked.
  for (let n = 0; n < 7; n++) {
    const { json } = await add(`${name} tried ${n}`, { waitFor: 'graph' })
    expect(json.receipt.stores.graph.state).toBe('owed')
  }
  const { metrics } = await status(it.asks)
  expect(metrics.deadLetters).toBe(0)
  expect(metrics.owedGraphWrites).toBeGreaterThan(200)
}

async function expectApplied(): Promise<void> {
  const { metrics } = await recovered(it.asks)
  expect(metrics).toMatchObject({ owedGraphWrites: 0, deadLetters: 0, graphStoreCount: metrics.totalMemories })
  const { postgres, graph } = await bothSides(it)
  expect(graph).toEqual(postgres)
}

test('a Neo4j that may only be read is owed every write, and takes them once it may be written', async () => {
  // Its constraints and indexes are made before it may only be read.
  const first = await eventually(
    () => add('shown', { waitFor: 'graph' }),
    ({ json }) => json.receipt.graphWriteSuccess,
  )
  expect(first.json.receipt.graphWriteSuccess).toBe(true)
  await store.stop()
  await store.start({ 'server.databases.default_to_read_only': 'true' })
  await it.serve()
  await expectOwed('read-only')
  // What it holds it still answers.
  const search = { userId: 'alice', query: 'read-only', embedding: vectorOf('x', DIMENSIONS), expand: { hops: 1 } }
  const found = await eventually(
    () => it.asks.post('/v1/memories/search', search),
    ({ json }) => json.degraded.length === 0,
  )
  expect([found.status, found.json.degraded]).toEqual([200, []])
  expect(found.json.freshness.graphLagMs).toBeGreaterThan(0)
  await store.stop()
  await store.start()
  await expectApplied()
})

test('a Neo4j whose memory is full is owed every write, and takes them once there is room again', async () => {
  await store.stop()
  await store.start({ 'dbms.memory.transaction.total.max': '10m' })
  await it.serve()
  const { username, password } = credentials()
  const driver = neo4j.driver(store.running.url, neo4j.auth.basic(username, password))
  await fill(driver)
  const items = Array.from({ length: 200 }, (_, n) => remembers(`full ${n}`))
  const many = await it.asks.post('/v1/memories/batch', { items })
  expect(many.json.items.map(({ ok }: any) => ok)).toEqual(items.map(() => true))
  // The relay tries it every second, more often than a row may be refused before it is parked.
  await sleep(8_000)
  const { metrics } = await status(it.asks)
  expect([metrics.owedGraphWrites >= 200, metrics.deadLetters]).toEqual([true, 0])
  // What takes the room is taken back with its connections.
  await driver.close()
  await expectApplied()
})

/** Transactions that stay open and leave no room for a large one; a small one may still find some. */
async function fill(driver: Driver): Promise<void> {
  for (;;) {
    const transaction = driver.session().beginTransaction()
    try {
      await transaction.run('unwind range(1, 2000) as n create (:Greedy {n: n})')
    } catch (error) {
      expect((error as { code: string }).code).toMatch(/OutOfMemory/)
      return
    }
  }
}

const credentials = () => {
  const { TEST_NEO4J_USERNAME: username, TEST_NEO4J_PASSWORD: password } = store.running.variables
  return { username: username as string, password: password as string }
}

test('a Neo4j that lets nobody in is named, writes go on, and the right password is all it needs', async () => {
  await it.serve({ NEO4J_PASSWORD: 'not-the-password' })
  const made = await add('with a wrong password', { waitFor: 'graph' })
  expect([made.status, made.json.receipt.stores.graph.state]).toEqual([201, 'owed'])
  const refused = await add('refused with a wrong password', { onGraphFailure: 'rollback' })
  expect([refused.status, refused.json.code]).toEqual([503, 'unavailable'])
  expect(await status(it.asks)).toMatchObject({ status: 'degraded', mode: 'essential-only', stores: { graphStore: { available: false } } })
  const { stderr } = await it.service.end('SIGTERM')
  expect(stderr).toMatch(/NEO4J_PASSWORD/)
  expect(stderr).not.toContain('not-the-password')
  await it.serve()
  await expectApplied()
  expect((await it.asks.get(`/v1/memories/${made.json.memory.id}`)).json.receipt.stores.graph.state).toBe('written')
})
