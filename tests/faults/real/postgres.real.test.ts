import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Answer, all, type Client } from '../../client.ts'
import { random, vectorOf } from '../../random.ts'
import { Writer } from '../writer.ts'
import { bothSides, DIMENSIONS, recovered, type Scene, scene, status } from './stores.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

let it: Scene
beforeAll(async () => {
  it = await scene('postgres')
})
afterAll(() => it.close())

const writers = Array.from({ length: 8 }, (_, i) => new Writer(`writer${i}`, random(i), DIMENSIONS))
const acknowledged = () => writers.reduce((sum, writer) => sum + writer.acknowledged, 0)

test.each([
  ['restarted', () => it.stores.postgres?.stop()],
  ['killed with -9', () => it.stores.postgres?.kill()],
] as const)('Postgres %s under eight writers loses nothing it acknowledged, and no write happens twice', async (_, fault) => {
  const refusals: Answer[] = []
  let stopping = false
  const again = async (answer: Answer) => {
    if (answer.status === 503) refusals.push(answer)
    else if (answer.json.code !== 'in_progress') return undefined
    await sleep(Number(answer.headers.get('retry-after')) * 1000 || 200)
    return 'again' as const
  }
  const running = writers.map((writer) => writer.run(it.asks, { until: () => stopping, unavailable: again }))
  const reach = async (more: number) => {
    for (const enough = acknowledged() + more; acknowledged() < enough; ) await sleep(5)
  }
  await reach(60)
  await fault()
  const [read, search] = [await it.asks.get('/v1/memories'), await it.asks.post('/v1/memories/search', { userId: 'a', query: 'anything' })]
  const health = await it.asks.get('/v1/health/ready')
  await it.stores.postgres?.start()
  await reach(60)
  stopping = true
  await Promise.all(running)

  for (const { status: code, json, headers } of [read, search, ...refusals]) {
    expect([code, json.code]).toEqual([503, 'unavailable'])
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  }
  expect(health.status).toBe(503)
  expect(refusals.length).toBeGreaterThan(0)
  expect(writers.flatMap(({ surprises }) => surprises)).toEqual([])
  await everythingIsThereOnce(it.asks)
  const live = writers.flatMap(({ known }) => [...known.values()]).filter(({ state }) => state === 'live')
  expect((await recovered(it.asks)).metrics).toMatchObject({ totalMemories: live.length, graphStoreCount: live.length, deadLetters: 0 })
  const { postgres, graph } = await bothSides(it)
  expect(graph).toEqual(postgres)
})

/** Every memory as its writer was told last, each content once, and nothing that nobody was told of. */
async function everythingIsThereOnce(asks: Client): Promise<void> {
  const found = (await all(asks, '/v1/memories')).map(({ id, version, content }) => `${id} ${version} ${content}`)
  const known = writers.flatMap((writer) => [...writer.known.values()]).filter(({ state }) => state === 'live')
  expect(found.sort()).toEqual(known.map(({ id, version, content }) => `${id} ${version} ${content}`).sort())
  for (const { id, namespace, content } of known.slice(-10)) {
    const search = { embedding: vectorOf(content, DIMENSIONS), namespace, mode: 'vector', precision: 'exact', limit: 1 }
    expect((await asks.post('/v1/memories/search', search)).json.results[0]?.memory.id).toBe(id)
  }
  expect((await status(asks)).metrics.vectorStoreCount).toBe(known.length)
}
