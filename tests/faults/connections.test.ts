import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { all } from '../client.ts'
import { type Hosted, hosted, type Tenant } from '../hosted.ts'
import type { Passing } from '../proxy.ts'

let it: Hosted
let asks: Tenant
beforeAll(async () => {
  it = await hosted()
})
beforeEach(async () => {
  it.database.decide = undefined
  asks = await it.tenant()
})
afterAll(() => it.close())

const isWrite = ({ body }: Passing): boolean => /insert into memories|update memories m set|delete from memories/.test(body)
const contents = async (asks: Tenant) => (await all(asks, '/v1/memories')).map(({ content }) => content).sort()
const everything = '/v1/memories?includeDeleted=true'

test('a connection cut before, in or after a write never makes an answer that is not true', async () => {
  const first = (await asks.post('/v1/memories', { userId: 'a', content: 'the first one' })).json.memory
  let n = 0
  for (const fate of ['cut before', 'error', 'cut after'] as const) {
    /** Every first attempt of a write meets this fate; who may send it again does. */
    const onceEach = () => {
      const met = new Set<string>()
      it.database.decide = (passing) => {
        if (!isWrite(passing) || met.has(passing.body)) return 'pass'
        met.add(passing.body)
        return fate
      }
    }
    const cases: [string, string, object, Record<string, string>][] = [
      ['POST', '/v1/memories', { userId: 'a', content: `created ${++n}` }, {}],
      ['POST', '/v1/memories', { userId: 'a', content: `created ${++n}`, waitFor: 'graph' }, { 'idempotency-key': `key-${n}` }],
      ['POST', '/v1/memories/batch', { items: [{ userId: 'a', content: `created ${++n}` }] }, {}],
      ['PATCH', `/v1/memories/${first.id}`, { content: `changed ${++n}` }, { 'idempotency-key': `key-${n}` }],
    ]
    for (const [method, path, body, headers] of cases) {
      onceEach()
      const answer = await asks.call(method, path, body, { headers })
      // Sending it again does no harm, so it is sent again, and the answer is the one of a quiet day.
      expect([fate, method, path, answer.status]).toEqual([fate, method, path, method === 'POST' && !path.endsWith('batch') ? 201 : 200])
      if (path.endsWith('batch')) expect(answer.json.items).toMatchObject([{ ok: true }])
    }
  }
  it.database.decide = undefined
  expect(await contents(asks)).toEqual([...[1, 2, 3, 5, 6, 7, 9, 10, 11].map((i) => `created ${i}`), 'changed 12'].sort())
  expect((await asks.get(`/v1/memories/${first.id}/history`)).json.items).toHaveLength(4)
})

test('a write that cannot be sent again safely says that it may have happened, and only then', async () => {
  const made = async (content: string) => (await asks.post('/v1/memories', { userId: 'a', content })).json.memory.id as string
  const id = await made('stands')
  for (const [fate, happened] of [
    ['cut after', true],
    ['cut before', false],
  ] as const) {
    const gone = await made(`goes ${fate}`)
    it.database.decide = (passing) => (isWrite(passing) ? fate : 'pass')
    const answers = [
      await asks.patch(`/v1/memories/${id}`, { content: `stands, ${fate}` }),
      await asks.del(`/v1/memories/${gone}?hard=true`),
    ]
    // An answer in between keeps the circuit closed: the next write may be sent again, and is cut each time.
    await contents(asks)
    answers.push(await asks.post('/v1/memories', { userId: 'a', content: `pending ${fate}`, waitFor: 'graph', onGraphFailure: 'rollback' }))
    for (const { status, json, headers } of answers) {
      expect([status, json.code, headers.get('retry-after')]).toEqual([503, 'unavailable', '1'])
      expect(json.detail).not.toContain('nothing was changed')
      expect(json.detail).toContain('may have been done')
    }
    it.database.decide = undefined
    expect((await asks.get(`/v1/memories/${id}`)).json.memory.content === `stands, ${fate}`).toBe(happened)
    expect((await asks.get(`/v1/memories/${gone}`)).status).toBe(happened ? 404 : 200)
    expect((await contents(asks)).filter((content) => content.startsWith('pending'))).toEqual([])
  }
})

test('every request of a crowd is answered while every third connection is cut, and what was answered is kept once', async () => {
  let n = 0
  it.database.decide = () => (['pass', 'pass', ++n % 2 === 0 ? 'cut before' : 'cut after'] as const)[n % 3] ?? 'pass'
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, i) => asks.post('/v1/memories', { userId: `u${i % 5}`, content: `crowd ${i}` })),
  )
  it.database.decide = undefined
  expect(answers.filter(({ status }) => status !== 201 && status !== 503)).toEqual([])
  const kept = await contents(asks)
  expect(new Set(kept).size).toBe(kept.length)
  for (const { status, json } of answers) if (status === 201) expect(kept).toContain(json.memory.content)
})

test('while the database is away everything is refused with 503 and Retry-After, and works again by itself once it is back', async () => {
  const { memory } = (await asks.post('/v1/memories', { userId: 'a', content: 'before the night' })).json
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  await it.database.shut()
  for (let n = 0; n < 4; n++) {
    const answers = [
      await asks.get(`/v1/memories/${memory.id}`),
      await asks.post('/v1/memories', { userId: 'a', content: 'at night' }),
      await asks.post('/v1/memories/search', { userId: 'a', query: 'night' }),
      await asks.del(`/v1/memories/${memory.id}`),
      await asks.get('/v1/health/ready'),
    ]
    for (const { status, json, headers } of answers) {
      expect([status, json.code, Number(headers.get('retry-after'))]).toEqual([503, 'unavailable', 1])
      expect(json.detail).toBe('The database cannot be reached at the moment; nothing was changed by this request.')
    }
  }
  expect((await asks.get('/v1/health/live')).status).toBe(200)
  await it.database.open()
  // As configured, the circuit stays open for half a minute.
  vi.setSystemTime(Date.now() + 31_000)
  expect((await asks.get(`/v1/memories/${memory.id}`)).json.memory.content).toBe('before the night')
  expect((await asks.post('/v1/memories', { userId: 'a', content: 'in the morning' })).status).toBe(201)
  expect(await contents(asks)).toEqual(['before the night', 'in the morning'])
  expect((await asks.get('/api/persistence/status')).json.stores.vectorStore).toMatchObject({
    available: true,
    healthy: true,
    breaker: 'closed',
  })
})

test('an answer that hangs ends as a refusal when its caller has waited long enough, and the process lives on', async () => {
  it.database.seen.length = 0
  it.database.decide = (passing) => (isWrite(passing) ? 'hang' : 'pass')
  const controller = new AbortController()
  const hanging = asks.post('/v1/memories', { userId: 'a', content: 'never answered' }, { signal: controller.signal })
  await vi.waitUntil(() => it.database.seen.some(isWrite), 20_000)
  controller.abort()
  await expect(hanging).rejects.toThrow('aborted')
  it.database.decide = undefined
  expect((await asks.get(everything)).json.items).toEqual([])
  expect((await asks.post('/v1/memories', { userId: 'a', content: 'answered' })).status).toBe(201)
})
