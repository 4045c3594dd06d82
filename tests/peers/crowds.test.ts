import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { all } from '../client.ts'
import { DIMENSIONS, type Hosted, hosted, type Tenant } from '../hosted.ts'
import { vectorOf } from '../random.ts'

let it: Hosted
let asks: Tenant
beforeAll(async () => {
  it = await hosted()
})
beforeEach(async () => {
  asks = await it.tenant()
})
afterAll(() => it.close())

const vector = (text: string) => vectorOf(text, DIMENSIONS)
const remembers = (content: string, more: object = {}) => ({
  userId: 'a',
  content,
  embedding: vector(content),
  extractEntities: false,
  ...more,
})

test('four hundred writers on a hundred keys make a hundred memories, and every refusal is an honest conflict', {
  timeout: 120_000,
}, async () => {
  const made = await Promise.all(
    Array.from({ length: 400 }, (_, i) => asks.post('/v1/memories', remembers(`put ${i}`, { key: `key${i % 100}` }))),
  )
  const created = made.filter(({ status }) => status === 201)
  expect(created).toHaveLength(100)
  for (const { status, json } of made) if (status !== 201) expect([status, json.code]).toEqual([409, 'conflict'])
  const ids = created.map(({ json }) => json.memory.id as string)

  const changed = await Promise.all(
    Array.from({ length: 200 }, (_, i) => {
      const content = `changed by ${i}`
      return asks.patch(`/v1/memories/${ids[i % 100]}`, { content, embedding: vector(content), extractEntities: false })
    }),
  )
  const landed = new Map<string, number>()
  for (const { status, json } of changed) {
    if (status === 200) landed.set(json.memory.id, (landed.get(json.memory.id) ?? 0) + 1)
    else expect([status, json.code]).toEqual([412, 'version_mismatch'])
  }
  const memories = await all(asks, '/v1/memories?userId=a')
  expect(memories).toHaveLength(100)
  for (const { id, content, version } of memories) {
    expect(version).toBe(1 + (landed.get(id) ?? 0))
    const stored = await it.owner('select embedding::text as v from twofold.embeddings where memory_id = $1', [id])
    expect(stored).toHaveLength(1)
    expect([content, cosine(JSON.parse(stored[0]?.v as string), vector(content)) > 0.9999]).toEqual([content, true])
  }
})

const cosine = (a: readonly number[], b: readonly number[]): number => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0)

test('a hundred and sixty creates at once are a hundred and sixty memories', { timeout: 120_000 }, async () => {
  const answers = await Promise.all(Array.from({ length: 160 }, (_, i) => asks.post('/v1/memories', remembers(`create ${i}`))))
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201))
  const kept = new Set((await all(asks, '/v1/memories')).map(({ id }) => id))
  expect(answers.filter(({ json }) => !kept.has(json.memory.id))).toEqual([])
  expect(kept.size).toBe(160)
})

test('a store is one round trip of statements that are known before, a search another, and none of them changes the schema', async () => {
  const { memory } = (await asks.post('/v1/memories', remembers('the first makes the key known'))).json
  const trips = async (work: () => Promise<{ status: number }>): Promise<string[][]> => {
    it.database.seen.length = 0
    expect((await work()).status).toBeLessThan(300)
    return it.database.seen.map(({ body }) => (JSON.parse(body).queries as { query: string }[]).map(({ query }) => query))
  }
  const counts: Record<string, number> = {}
  const requests: Record<string, () => Promise<{ status: number }>> = {
    store: () => asks.post('/v1/memories', remembers('counted', { entities: [{ type: 'person', value: 'Ines' }] })),
    get: () => asks.get(`/v1/memories/${memory.id}`),
    search: () => asks.post('/v1/memories/search', { userId: 'a', query: 'counted', embedding: vector('counted') }),
    update: () => asks.patch(`/v1/memories/${memory.id}`, { importance: 7 }),
    delete: () => asks.del(`/v1/memories/${memory.id}`),
  }
  for (const [name, request] of Object.entries(requests)) {
    const sent = await trips(request)
    counts[name] = sent.length
    for (const statement of sent.flat()) expect(statement).not.toMatch(/\b(create|alter|drop|truncate|grant|revoke|comment on)\b/i)
  }
  expect(counts).toEqual({ store: 1, get: 1, search: 1, update: 2, delete: 1 })
})
