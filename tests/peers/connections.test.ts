import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { all } from '../client.ts'
import { type Hosted, hosted, type Tenant } from '../hosted.ts'
import type { Fate, Passing } from '../proxy.ts'

let it: Hosted
let asks: Tenant
beforeAll(async () => {
  it = await hosted({}, { LANGUAGE_MODEL: 'openai:test-language' })
})
beforeEach(async () => {
  asks = await it.tenant()
  // So that the key is known, and the next request is the write and nothing else.
  await asks.get('/v1/memories')
})
/** The circuit that failures have opened closes with the first answer after its pause. */
async function circuitCloses() {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(Date.now() + 31_000)
  await it.deps.db.across([])
  vi.useRealTimers()
}
afterEach(() => {
  it.database.decide = undefined
  return circuitCloses()
})
afterAll(() => it.close())

/** Every attempt at what `matches` meets this fate, until told otherwise. */
const always = (fate: Fate, matches: RegExp) => {
  it.database.decide = ({ body }: Passing) => (matches.test(body) ? fate : 'pass')
}
const WRITES = /insert into memories|update memories m set|delete from memories/
const contents = async () => (await all(asks, '/v1/memories')).map(({ content }) => content).sort()
const UNKNOWN = /It is not known whether this request was carried out\. The same request with the same Idempotency-Key/

test.each(['cut after', 'error'] as const)(
  'a create of which no attempt is answered (%s) says that its outcome is not known, and how to learn it',
  async (fate) => {
    const body = { userId: 'a', content: 'Anna knows Bert' }
    const headers = { 'idempotency-key': 'once' }
    always(fate, WRITES)
    const lost = await asks.post('/v1/memories', body, { headers })
    expect([lost.status, lost.json.code, lost.json.memory, lost.headers.get('retry-after')]).toEqual([503, 'unavailable', undefined, '1'])
    expect(lost.json.detail).toMatch(UNKNOWN)
    expect(lost.json.detail).not.toContain('nothing was changed')
    it.database.decide = undefined
    const told = await asks.post('/v1/memories', body, { headers })
    expect([told.status, told.headers.get('idempotency-replayed')]).toEqual([201, fate === 'cut after' ? 'true' : null])
    expect((await all(asks, '/v1/memories')).map(({ id }) => id)).toEqual([told.json.memory.id])
  },
)

test('with an id of its own choosing a client learns it without an Idempotency-Key', async () => {
  const body = { id: '0198c0de-0000-7000-8000-000000000001', userId: 'a', content: 'chosen' }
  always('cut after', WRITES)
  expect((await asks.post('/v1/memories', body)).json.detail).toMatch(UNKNOWN)
  it.database.decide = undefined
  const told = await asks.post('/v1/memories', body)
  expect([told.status, told.json.memory.id]).toEqual([201, body.id])
  expect(await contents()).toEqual(['chosen'])
})

test('a request whose writes certainly never left says that nothing was changed, and that is so', async () => {
  await it.database.shut()
  const refused = await asks.post('/v1/memories', { userId: 'a', content: 'never sent' })
  await it.database.open()
  expect([refused.status, refused.json.detail]).toEqual([
    503,
    'The database cannot be reached at the moment; nothing was changed by this request.',
  ])
  // What went on from before, such as a write to the graph, may have met the refusals too and so opened it.
  await circuitCloses()
  expect(await contents()).toEqual([])
})

test('a read of which no attempt is answered changed nothing and says so', async () => {
  for (const [method, path, body] of [
    ['GET', '/v1/memories', undefined],
    ['POST', '/v1/memories/search', { userId: 'a', query: 'x' }],
    ['GET', '/api/persistence/status', undefined],
  ] as const) {
    always('cut after', /select/)
    const refused = await asks.call(method, path, body)
    expect([path, refused.status, refused.json.detail]).toEqual([
      path,
      503,
      'The database cannot be reached at the moment; nothing was changed by this request.',
    ])
    it.database.decide = undefined
    await it.deps.db.across([])
  }
})

test('a change and a deletion cut after the commit are told apart from ones that never happened by asking again', async () => {
  const { id } = (await asks.post('/v1/memories', { userId: 'a', content: 'first' })).json.memory
  const asking: [string, string, object | undefined, number][] = [
    ['PATCH', `/v1/memories/${id}`, { content: 'second' }, 2],
    ['DELETE', `/v1/memories/${id}`, undefined, 3],
    ['POST', `/v1/memories/${id}/restore`, {}, 4],
    ['DELETE', `/v1/memories/${id}?hard=true`, undefined, 0],
  ]
  for (const [i, [method, path, body, versions]] of asking.entries()) {
    const headers = { 'idempotency-key': `asking-${i}` }
    always('cut after', WRITES)
    const lost = await asks.call(method, path, body, { headers })
    expect([method, lost.status]).toEqual([method, 503])
    expect(lost.json.detail).toMatch(UNKNOWN)
    it.database.decide = undefined
    const told = await asks.call(method, path, body, { headers })
    expect([path, told.status, told.headers.get('idempotency-replayed')]).toEqual([path, 200, 'true'])
    const [kept] = await it.owner('select count(*) as n from twofold.memory_versions where memory_id = $1', [id])
    expect([path, Number(kept?.n)]).toEqual([path, versions])
  }
})

test('what else writes (keys, batches) never claims that nothing happened after the commit', async () => {
  always('cut after', /insert into (memories|api_keys)|make_key|revoke|rotate|update api_keys/)
  const lost = [
    await asks.post('/v1/keys', { name: 'lost', scopes: ['memories:read'], namespaces: ['*'] }),
    await asks.post('/v1/memories/batch', { items: [{ userId: 'a', content: 'in an atomic batch' }], atomic: true }),
  ]
  for (const { status, json } of lost) {
    expect(status).toBe(503)
    expect(json.detail).toMatch(UNKNOWN)
  }
  const batch = await asks.post('/v1/memories/batch', { items: [{ userId: 'a', content: 'in a batch' }] })
  expect(JSON.stringify(batch.json)).not.toContain('nothing was changed')
})

test('a create that arrived, but of which nothing can be read any more, does not claim that nothing was changed', async () => {
  let committed = false
  it.database.decide = ({ body }) => {
    if (committed && !WRITES.test(body)) return 'cut before'
    if (WRITES.test(body) && !committed) {
      committed = true
      return 'cut after'
    }
    return 'pass'
  }
  const lost = await asks.post('/v1/memories', { userId: 'a', content: 'there all the same' })
  it.database.decide = undefined
  expect([lost.status, lost.json.detail]).toEqual([503, expect.stringMatching(UNKNOWN)])
  expect(await contents()).toEqual(['there all the same'])
})

test('a batch that loses its connection after its first part answers for each item, and goes on when it is sent again', async () => {
  const items = Array.from({ length: 60 }, (_, i) => ({ userId: 'a', content: `item ${i}`, extractEntities: false }))
  const headers = { 'idempotency-key': 'batch' }
  always('cut after', /insert into memories.*item 55/s)
  const first = await asks.post('/v1/memories/batch', { items }, { headers })
  it.database.decide = undefined
  expect(first.status).toBe(200)
  expect(first.json.items.slice(0, 50).every((item: any) => item.ok)).toBe(true)
  for (const item of first.json.items.slice(50))
    expect([item.ok, item.error.status, item.error.detail]).toEqual([false, 503, expect.stringMatching(UNKNOWN)])
  const again = await asks.post('/v1/memories/batch', { items }, { headers })
  expect(again.json.items.map((item: any) => item.memory?.content)).toEqual(items.map(({ content }) => content))
  expect(await contents()).toEqual(items.map(({ content }) => content).sort())
})

test('a crowd that is cut at every second request leaves the process alive, and each answer true', async () => {
  let n = 0
  it.database.decide = () => (['pass', 'cut after', 'pass', 'cut before'] as const)[n++ % 4] ?? 'pass'
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      asks.post('/v1/memories', { userId: `u${i % 4}`, content: `crowd ${i}` }, { headers: { 'idempotency-key': `crowd-${i}` } }),
    ),
  )
  it.database.decide = undefined
  expect(answers.filter(({ status }) => ![201, 503].includes(status))).toEqual([])
  const again = await Promise.all(
    answers.map((_, i) =>
      asks.post('/v1/memories', { userId: `u${i % 4}`, content: `crowd ${i}` }, { headers: { 'idempotency-key': `crowd-${i}` } }),
    ),
  )
  expect(again.map(({ status }) => status)).toEqual(again.map(() => 201))
  for (const [i, { status, json }] of answers.entries()) if (status === 201) expect(json.memory.id).toBe(again[i]?.json.memory.id)
  expect(await contents()).toEqual(answers.map((_, i) => `crowd ${i}`).sort())
})
