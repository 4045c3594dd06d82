import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { eventually } from '../../client.ts'
import { vectorOf } from '../../random.ts'
import { Crowd, expectAgreement } from './crowd.ts'
import { DIMENSIONS, type Scene, type Store, scene, status } from './stores.ts'

/** Neo4j takes its time to start. */
vi.setConfig({ testTimeout: 480_000, hookTimeout: 180_000 })

/** Beyond everything that anybody waits for the graph. */
const inTime = () => ({ signal: AbortSignal.timeout(20_000) })

let it: Scene
let neo4j: Store
const crowd = new Crowd(6, 1)
beforeAll(async () => {
  it = await scene('postgres', 'neo4j')
  neo4j = it.stores.neo4j as Store
})
afterAll(() => it.close())

const remembers = (content: string, more: object = {}) => ({
  userId: 'alice',
  content,
  embedding: vectorOf(content, DIMENSIONS),
  entities: [{ type: 'person', value: 'Anna' }],
  extractEntities: false,
  ...more,
})
const add = (content: string, more: object = {}) => it.asks.post('/v1/memories', remembers(content, more), inTime())
const search = (content: string) =>
  it.asks.post(
    '/v1/memories/search',
    { userId: 'alice', embedding: vectorOf(content, DIMENSIONS), query: content, expand: { hops: 2 } },
    inTime(),
  )

/** While the graph is away: writes are taken and owed, reads answer and say how far it lags, each within bounds. */
async function expectDegraded(name: string): Promise<void> {
  const [owed, waited] = await Promise.all([add(`${name} owed`), add(`${name} waited`, { waitFor: 'graph' })])
  for (const { status: code, json } of [owed, waited]) {
    expect([code, json.receipt.graphWriteSuccess, json.receipt.stores.graph.state]).toEqual([201, false, 'owed'])
    expect(json.receipt.owed).toContain('graph')
  }
  const found = await search(`${name} owed`)
  expect([found.status, found.json.degraded]).toEqual([200, ['graph']])
  expect(found.json.results[0].memory.id).toBe(owed.json.memory.id)
  expect(found.json.freshness.graphLagMs).toBeGreaterThan(0)
  const asked = await it.asks.post(
    '/v1/graph/query',
    { start: { memoryId: owed.json.memory.id }, hops: 1, namespacePrefix: 'user:alice' },
    inTime(),
  )
  expect([asked.status, asked.json.code, asked.headers.get('retry-after')]).toEqual([503, 'unavailable', '1'])
  const seen = await eventually(
    () => status(it.asks),
    ({ stores }) => stores.graphStore.breaker === 'open',
  )
  expect(seen).toMatchObject({
    status: 'degraded',
    mode: 'essential-only',
    stores: { vectorStore: { healthy: true }, graphStore: { available: false, healthy: false, breaker: 'open' } },
    metrics: { deadLetters: 0 },
  })
  expect(seen.metrics.owedGraphWrites).toBeGreaterThan(0)
}

/** What the graph was to decide is refused, and nobody can read it by any way. Answers how to send it again. */
async function expectRefused(content: string): Promise<() => ReturnType<typeof add>> {
  const key = content.replaceAll(' ', '-')
  const headers = { 'idempotency-key': key }
  const body = remembers(content, { key, onGraphFailure: 'rollback', entities: [{ type: 'person', value: 'Nobody' }] })
  const send = () => it.asks.post('/v1/memories', body, { headers, ...inTime() })
  const refused = await send()
  expect([refused.status, refused.json.code, refused.headers.get('retry-after')]).toEqual([503, 'unavailable', '1'])
  expect(refused.json.detail).toContain('nothing was stored')
  const found = await search(content)
  const listed = await it.asks.get(`/v1/memories?userId=alice&key=${key}&includeDeleted=true`)
  expect(listed.json.items).toEqual([])
  expect(found.json.results.map(({ memory }: any) => memory.content)).not.toContain(content)
  expect((await it.asks.get('/v1/graph/entities?userId=alice')).text).not.toContain('Nobody')
  return send
}

async function expectWellAgain(send: () => ReturnType<typeof add>): Promise<void> {
  await expectAgreement(it, crowd)
  expect(await status(it.asks)).toMatchObject({
    mode: 'normal',
    stores: { graphStore: { available: true, healthy: true, breaker: 'closed' } },
  })
  const again = await send()
  expect([again.status, again.headers.get('idempotency-replayed'), again.json.receipt.graphWriteSuccess]).toEqual([201, null, true])
  const found = await search(again.json.memory.content)
  expect([found.json.degraded, found.json.freshness.graphLagMs]).toEqual([[], 0])
}

test.each([
  ['killed with -9', 'kill'],
  ['restarted in order', 'stop'],
] as const)('Neo4j %s under six writers, again and again: all is accepted and owed, and applied once, by itself', async (name, ends) => {
  crowd.go(it.asks)
  await crowd.reach(60)
  await neo4j[ends]()
  await expectDegraded(name)
  const send = await expectRefused(`${name} refused`)
  await crowd.reach(60)
  await crowd.rest()
  await neo4j.start()
  if (ends === 'kill') {
    await eventually(
      () => status(it.asks),
      ({ stores }) => stores.graphStore.breaker === 'closed',
      100_000,
    )
    // It dies again in the middle of what it has to catch up with.
    crowd.go(it.asks)
    await crowd.reach(10)
    await neo4j.kill()
    await crowd.reach(30)
    await crowd.rest()
    await neo4j.start()
  }
  await expectWellAgain(send)
})

test('Neo4j stopped where it was, past every lease: nobody waits for it, and what wakes up overwrites and brings back nothing', async () => {
  const made = await Promise.all(Array.from({ length: 20 }, (_, n) => add(`stands ${n}`, { waitFor: 'graph' })))
  const ids = made.map(({ json }) => json.memory.id as string)
  expect(made.map(({ json }) => json.receipt.graphWriteSuccess)).toEqual(made.map(() => true))
  crowd.go(it.asks)
  await crowd.reach(30)
  const changed = ids.map((id, n) =>
    it.asks.patch(`/v1/memories/${id}`, { content: `on its way ${n}`, embedding: vectorOf(`w${n}`, DIMENSIONS) }),
  )
  await changed[0]
  neo4j.running.pause()
  const stopped = performance.now()
  for (const answer of await Promise.all(changed)) expect(answer.status).toBe(200)
  await expectDegraded('stopped')
  const send = await expectRefused('stopped refused')
  const later = await Promise.all(
    ids.map((id, n) =>
      n % 2 === 0
        ? it.asks.del(`/v1/memories/${id}?hard=true`, inTime())
        : it.asks.patch(`/v1/memories/${id}`, { content: `newer ${n}`, embedding: vectorOf(`n${n}`, DIMENSIONS) }, inTime()),
    ),
  )
  expect(later.map(({ status: code }) => code)).toEqual(later.map(() => 200))
  await crowd.reach(60)
  await crowd.rest()
  // Past the lease of whoever was writing when it stopped.
  await sleep(Math.max(0, 31_000 - (performance.now() - stopped)))
  neo4j.running.resume()
  await expectWellAgain(send)
  const shown = await Promise.all(ids.map((id) => it.asks.get(`/v1/memories/${id}`)))
  expect(shown.map(({ json }) => json.memory?.content ?? null)).toEqual(ids.map((_, n) => (n % 2 === 0 ? null : `newer ${n}`)))
})
