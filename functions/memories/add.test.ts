import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
  here.provider.fail(null)
})

const add = (body: unknown, headers: Record<string, string> = {}) => tenant.post('/v1/memories', body, { headers })
const count = async () => (await tenant.get('/v1/memories?limit=500')).json.items.length
const embedding = (i: number) => Array.from({ length: 64 }, (_, j) => (i === j ? 1 : 0))

describe('what is remembered', () => {
  test('comes back as it was given, with every default said', async () => {
    const given = {
      namespace: 'user:alice:work',
      key: 'office',
      type: 'procedural',
      kind: 'preference',
      content: 'The office is in Porto.',
      value: { city: 'Porto', floors: [1, 2, null] },
      summary: 'Office',
      importance: 7.5,
      metadata: { source: 'chat', nested: { a: [1, { b: true }] }, constructor: 'a word' },
      tags: ['office', 'porto'],
      conversationId: 'c 1',
      sessionId: 's-1',
      taskId: 't.1',
      speaker: 'Ann',
      occurredAt: '2026-01-31T14:00:00.123+02:00',
      expiresAt: '2999-01-01T00:00:00Z',
    }
    const { status, json, headers } = await add({
      ...given,
      entities: [{ type: 'place', value: 'Porto' }],
      extractEntities: false,
    })
    expect(status).toBe(201)
    expect(json.memory).toMatchObject({
      ...given,
      occurredAt: '2026-01-31T12:00:00.123Z',
      expiresAt: '2999-01-01T00:00:00.000Z',
      entities: [{ type: 'place', value: 'Porto', normalized: 'porto', confidence: 1, source: 'caller' }],
      version: 1,
      deletedAt: null,
    })
    expect(json.memory.createdBy).toBe(json.memory.updatedBy)
    expect(headers.get('etag')).toBe('"1"')
    expect((await tenant.get(`/v1/memories/${json.memory.id}`)).json.memory).toEqual(json.memory)
    const plain = await tenant.add({ content: 'Likes tea.' })
    expect(plain).toMatchObject({
      ...{
        namespace: 'user:alice',
        key: null,
        type: 'semantic',
        kind: 'note',
        value: null,
        summary: null,
        importance: 5,
        metadata: {},
        tags: [],
      },
      ...{ conversationId: null, sessionId: null, taskId: null, speaker: null, expiresAt: null, occurredAt: plain.createdAt },
    })
  })

  test('is named and related by the language model, beside what the caller says of it', async () => {
    const memory = await tenant.add({ content: 'met Anna with Bert', entities: [{ type: 'organization', value: 'bert' }] })
    expect(memory.entities.map((e) => [e.type, e.value, e.source])).toEqual([
      ['organization', 'bert', 'caller'],
      ['person', 'Anna', 'openai:test-language'],
    ])
    expect(memory.relations).toMatchObject([
      { from: { type: 'person', value: 'Anna' }, type: 'knows', to: { type: 'organization', value: 'Bert' } },
    ])
    expect((await tenant.add({ content: 'met Anna again', extractEntities: false })).entities).toEqual([])
  })

  test('has its text made from the value when there is no content', async () => {
    const memory = await tenant.add({ value: { name: 'Ada', tags: ['a', 'b'], address: { city: 'Turin' } } })
    expect(memory.content).toBe('name: Ada; tags: a, b; address.city: Turin')
    expect(await tenant.found({ query: 'turin', mode: 'text' })).toEqual([memory.id])
    for (const value of [0, false, '', [], {}, 'text']) expect((await add({ userId: 'alice', value })).json.memory.value).toEqual(value)
  })

  test('is found at once, by meaning and by its words', async () => {
    const memory = await tenant.add({ content: 'The cat sleeps on the radiator.' })
    expect(await tenant.found({ query: 'where does the cat sleep', mode: 'vector' })).toEqual([memory.id])
    expect(await tenant.found({ query: 'radiator', mode: 'text' })).toEqual([memory.id])
  })

  test.each([
    ['emoji', 'Party 🎉 with 👩‍👩‍👧‍👦 and 🇵🇹', '👩‍👩‍👧‍👦'],
    ['right to left', 'הפגישה בתל אביב עם דניאל \u200F!', 'דניאל'],
    ['Arabic', 'اجتماع في القاهرة غداً', 'القاهرة'],
    ['Chinese', '明天在上海开会', '上海'],
    ['Korean', '서울에서 만났다', '서울'],
    ['combining marks', 'Cafe\u0301 Zalgo t̷̢e̷x̴t', 'café'],
    ['quotes and backslashes', `O'Brien said "\\n" and $1; drop table memories; --`, "O'Brien"],
    ['line ends and tabs', 'one\r\ntwo\tthree\u2028four', 'three'],
  ])('%s is stored as it came and found by its words', async (_, content, query) => {
    await tenant.add({ content: 'something else altogether' })
    const memory = await tenant.add({ content, metadata: { [content.slice(0, 20)]: content }, tags: [content] })
    expect(memory).toMatchObject({ content, tags: [content], metadata: { [content.slice(0, 20)]: content } })
    expect((await tenant.get(`/v1/memories/${memory.id}`)).json.memory.content).toBe(content)
    expect(await tenant.found({ query, mode: 'text' })).toEqual([memory.id])
    expect((await tenant.found({ query }))[0]).toBe(memory.id)
  })

  test('may be 100,000 characters long, of whatever script, and is found by its last word', async () => {
    for (const [filler, last] of Object.entries({ wort: 'zzlatin', 長い: 'zzhan', '😀': 'zzemoji' })) {
      const content = `${[...filler.repeat(100_000)].slice(0, 99_990).join('')} ${last}`
      const memory = await tenant.add({ content, extractEntities: false })
      expect(memory.content === content).toBe(true)
      expect(await tenant.found({ query: last, mode: 'text' })).toEqual([memory.id])
    }
    const { status, json } = await add({ userId: 'alice', content: 'x'.repeat(100_001) })
    expect([status, json.errors[0].path]).toEqual([400, 'content'])
  })
})

describe('the receipt', () => {
  test('says that the graph is owed, and with waitFor graph that both stores have it', async () => {
    const queued = await add({ userId: 'alice', content: 'one' })
    expect(queued.json.receipt).toMatchObject({
      vectorWriteSuccess: true,
      graphWriteSuccess: false,
      stores: { vector: { state: 'written', version: 1 }, graph: { state: 'owed', version: null, at: null }, cache: { state: 'disabled' } },
      owed: ['graph'],
    })
    const vector = await add({ userId: 'alice', content: 'two', waitFor: 'vector' })
    expect(vector.json.receipt.owed).toEqual(['graph'])
    const waited = await add({ userId: 'alice', content: 'three', waitFor: 'graph' })
    expect(waited.json.receipt).toMatchObject({ graphWriteSuccess: true, stores: { graph: { state: 'written', version: 1 } }, owed: [] })
    expect(Date.parse(waited.json.receipt.stores.graph.at)).toBeGreaterThan(0)
  })

  test('a model that is down makes vector and entities owed and fails no write', async () => {
    here.provider.fail('server-error')
    const { status, json } = await add({ userId: 'alice', content: 'the Model is away', waitFor: 'graph' })
    expect(status).toBe(201)
    expect(json.receipt).toMatchObject({ vectorWriteSuccess: false, graphWriteSuccess: true, owed: ['embedding', 'entities'] })
    expect(json.receipt.stores.vector).toEqual({ state: 'owed', version: null, at: null })
    expect(await tenant.found({ query: 'model', mode: 'text' })).toEqual([json.memory.id])
  })

  test('a graph that is down leaves the write owed, for those who wait too', async () => {
    const { status, json } = await here.withGraph('down', () => add({ userId: 'alice', content: 'one', waitFor: 'graph' }))
    expect([status, json.receipt.stores.graph.state, json.receipt.owed]).toEqual([201, 'owed', ['graph']])
  })
})

describe('onGraphFailure rollback', () => {
  const rollback = { userId: 'alice', onGraphFailure: 'rollback' }

  test('answers what both stores have, audited once', async () => {
    const { status, json } = await add({ ...rollback, content: 'kept', key: 'k' })
    expect([status, json.receipt.graphWriteSuccess, json.receipt.owed]).toEqual([201, true, []])
    expect(await tenant.found({ query: 'kept' })).toEqual([json.memory.id])
    expect(await audited(json.memory.id)).toEqual(['memories.add'])
  })

  test.each(['down', 'refusing'] as const)(
    'a graph that is %s: 503, and it is as if it had never been; key, id and idempotency key are free',
    async (state) => {
      const body = { ...rollback, id: randomUUID(), key: 'k', content: 'never been' }
      const idempotency = { 'idempotency-key': 'once' }
      const { status, json, headers } = await here.withGraph(state, () => add(body, idempotency))
      expect([status, json.code]).toEqual([503, 'unavailable'])
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await count()).toBe(0)
      expect(await tenant.found({ query: 'never been' })).toEqual([])
      expect((await tenant.get(`/v1/memories/${body.id}`)).status).toBe(404)
      expect((await tenant.get('/v1/graph/entities')).json.items).toEqual([])
      const again = await add(body, idempotency)
      expect([again.status, again.json.memory.id, again.headers.get('idempotency-replayed')]).toEqual([201, body.id, null])
    },
  )

  test('takes an id in capital letters like any other', async () => {
    const id = randomUUID()
    const { status, json } = await add({ ...rollback, content: 'kept', id: id.toUpperCase() })
    expect([status, json.memory?.id]).toEqual([201, id])
  })

  test('queue is the other way, and waiting for the vector alone cannot go with rollback', async () => {
    const { status } = await here.withGraph('down', () => add({ userId: 'alice', content: 'one', onGraphFailure: 'queue' }))
    expect(status).toBe(201)
    const bad = await add({ ...rollback, content: 'two', waitFor: 'vector' })
    expect([bad.status, bad.json.errors[0].path]).toEqual([400, 'waitFor'])
  })
})

describe('a key', () => {
  test('that is live is a conflict in its namespace only, and free again after a deletion', async () => {
    const first = await tenant.add({ content: 'one', key: 'name' })
    const twice = await add({ userId: 'alice', content: 'two', key: 'name' })
    expect([twice.status, twice.json.code, twice.json.id]).toEqual([409, 'conflict', first.id])
    await tenant.add({ namespace: 'user:alice:other', content: 'two', key: 'name' })
    await tenant.del(`/v1/memories/${first.id}`)
    await tenant.add({ content: 'three', key: 'name' })
  })

  test('that eight want at once belongs to one; the others are told', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => add({ userId: 'alice', content: `writer ${i}`, key: 'wanted' })))
    const won = all.filter(({ status }) => status === 201)
    expect(won.length).toBe(1)
    expect(all.filter(({ json }) => json.code === 'conflict').length).toBe(7)
    expect((await tenant.get('/v1/memories?namespace=user:alice&key=wanted')).json.items).toEqual([won[0]?.json.memory])
  })
})

describe("the caller's own id", () => {
  test('is taken; the same request again is answered the same, another is a conflict', async () => {
    const body = { userId: 'alice', id: randomUUID(), content: 'mine' }
    const first = await add(body)
    expect(first.json.memory.id).toBe(body.id)
    const again = await add(body)
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true'])
    expect(again.json.memory).toEqual(first.json.memory)
    const other = await add({ ...body, content: 'other' })
    expect([other.status, other.json.code]).toEqual([409, 'conflict'])
    expect(await count()).toBe(1)
  })

  test('in capital letters is the same id', async () => {
    const id = randomUUID()
    const body = { userId: 'alice', id: id.toUpperCase(), content: 'mine' }
    expect((await add(body)).json.memory.id).toBe(id)
    expect([(await add(body)).status, (await add({ ...body, id })).status]).toEqual([201, 201])
    expect(await count()).toBe(1)
  })

  test('that eight use at once for different things belongs to one', async () => {
    const id = randomUUID()
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => add({ userId: 'alice', id, content: `writer ${i}` })))
    expect(all.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(409)])
    const won = all.find(({ status }) => status === 201)
    expect((await tenant.get(`/v1/memories/${id}`)).json.memory).toEqual(won?.json.memory)
    expect(await tenant.found({ query: won?.json.memory.content, mode: 'vector', threshold: 0.999 })).toEqual([id])
  })

  test('of another tenant tells nothing of it', async () => {
    const id = randomUUID()
    const other = await here.tenant()
    await other.add({ id, content: 'theirs' })
    expect((await add({ userId: 'alice', id, content: 'ours' })).status).toBe(201)
    expect((await other.get(`/v1/memories/${id}`)).json.memory.content).toBe('theirs')
  })
})

describe('an idempotency key', () => {
  const once = { 'idempotency-key': 'request-1' }
  const body = { userId: 'alice', content: 'only once' }

  test('gives the first answer again, with the receipt as it is now', async () => {
    const first = await add(body, once)
    const again = await add({ content: 'only once', userId: 'alice' }, once)
    expect([again.status, again.headers.get('idempotency-replayed'), again.headers.get('etag')]).toEqual([201, 'true', '"1"'])
    expect(again.json.memory).toEqual(first.json.memory)
    await tenant.patch(`/v1/memories/${first.json.memory.id}`, { content: 'changed since', waitFor: 'graph' })
    const later = await add(body, once)
    expect(later.json.memory).toEqual(first.json.memory)
    expect(later.json.receipt.stores.graph).toMatchObject({ state: 'written', version: 2 })
    expect(await count()).toBe(1)
  })

  test('used for another request is refused, and so is it for another operation', async () => {
    const { json } = await add(body, once)
    const other = await add({ ...body, importance: 1 }, once)
    expect([other.status, other.json.code]).toEqual([409, 'idempotency_mismatch'])
    const elsewhere = await tenant.del(`/v1/memories/${json.memory.id}`, { headers: once })
    expect([elsewhere.status, elsewhere.json.code]).toEqual([409, 'idempotency_mismatch'])
    expect(await count()).toBe(1)
  })

  test('sent by eight twins at once writes once; each hears the one answer or that it is still running', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => add(body, once)))
    const answered = all.filter(({ status }) => status === 201)
    expect(answered.filter(({ headers }) => headers.get('idempotency-replayed') === null).length).toBe(1)
    expect(new Set(answered.map(({ json }) => json.memory.id)).size).toBe(1)
    expect(all.filter(({ status, json }) => status !== 201 && json.code !== 'in_progress')).toEqual([])
    expect(await count()).toBe(1)
  })

  test('of a write that the graph still decides is in progress', async () => {
    const { json } = await add({ ...body, onGraphFailure: 'rollback' }, once)
    await here.owner('update twofold.memories set pending_until = now() where id = $1', [json.memory.id])
    const twin = await add({ ...body, onGraphFailure: 'rollback' }, once)
    expect([twin.status, twin.json.code]).toEqual([409, 'in_progress'])
    const { id, ...rest } = { id: json.memory.id, ...body }
    expect((await add({ ...rest, id, content: 'else' })).json.code).toBe('in_progress')
  })

  test('after a hard deletion answers 410', async () => {
    const { json } = await add(body, once)
    await tenant.del(`/v1/memories/${json.memory.id}?hard=true`)
    const again = await add(body, once)
    expect([again.status, again.json.code]).toEqual([410, 'gone'])
    expect(await count()).toBe(0)
  })

  test('is not taken from what was written under it later when what was written under it first is deleted for good', async () => {
    const first = await add(body, once)
    here.pass(24 * 3_600_000 + 1000)
    const later = await add(body, once)
    await tenant.del(`/v1/memories/${first.json.memory.id}?hard=true`)
    const again = await add(body, once)
    expect([again.status, again.json.memory?.id]).toEqual([201, later.json.memory.id])
    here.pass(24 * 3_600_000 + 1000)
    const deleting = () => tenant.del(`/v1/memories/${later.json.memory.id}?hard=true`, { headers: once })
    expect([(await deleting()).status, (await deleting()).status]).toEqual([200, 200])
  })

  test('is forgotten after 24 hours', async () => {
    const first = await add(body, once)
    here.pass(24 * 3_600_000 + 1000)
    const next = await add(body, once)
    expect([next.status, next.headers.get('idempotency-replayed')]).toEqual([201, null])
    expect(next.json.memory.id).not.toBe(first.json.memory.id)
  })

  test('of a refused request is decided anew', async () => {
    const blocking = await tenant.add({ content: 'first', key: 'k' })
    expect((await add({ ...body, key: 'k' }, once)).status).toBe(409)
    await tenant.del(`/v1/memories/${blocking.id}`)
    expect((await add({ ...body, key: 'k' }, once)).status).toBe(201)
  })

  test('belongs to the key that sent it', async () => {
    const key = await tenant.keyFor(['memories:write'], ['*'])
    await add(body, once)
    const other = await tenant.post('/v1/memories', body, { key, headers: once })
    expect([other.status, other.headers.get('idempotency-replayed')]).toEqual([201, null])
    expect(await count()).toBe(2)
  })

  test('that is no visible ASCII is refused', async () => {
    for (const bad of ['a b', 'x'.repeat(256)]) {
      const { status, json } = await add(body, { 'idempotency-key': bad })
      expect([status, json.errors[0].path]).toEqual([400, 'headers.Idempotency-Key'])
    }
  })
})

describe("the caller's own vector", () => {
  test('answers for the content, and no model is asked', async () => {
    const before = here.provider.requests.embeddings
    const near = await tenant.add({ content: 'x', embedding: embedding(3), extractEntities: false })
    await tenant.add({ content: 'y', embedding: embedding(4), extractEntities: false })
    expect(here.provider.requests.embeddings).toBe(before)
    expect((await tenant.found({ embedding: embedding(3), mode: 'vector', threshold: 0.9 }))[0]).toBe(near.id)
  })

  test('of any length is good, as long as it is not nothing', async () => {
    for (const scale of [1e-300, 1e-30, 1e30, 1e300]) {
      const vector = embedding(5).map((x) => x * scale)
      const memory = await tenant.add({ content: `scaled ${scale}`, embedding: vector, extractEntities: false })
      expect(await tenant.found({ embedding: vector, mode: 'vector', threshold: 0.9999, limit: 100 })).toContain(memory.id)
    }
  })
})

describe('a key of the API', () => {
  test.each([
    ['none', () => null, 401, 'unauthenticated'],
    ['an unknown one', () => 'tf_unknown', 401, 'unauthenticated'],
    ['one that may only read', () => tenant.keyFor(['memories:read'], ['*']), 403, 'forbidden'],
    [
      'one with a grant for somebody else',
      () => tenant.keyFor(['memories:write'], ['user:bob', 'user:al', 'user:alice:work']),
      403,
      'forbidden',
    ],
  ])('%s: nothing is stored and no model is asked', async (_, key, status, code) => {
    const secret = await key()
    const before = here.provider.requests.embeddings
    const answer = await tenant.post('/v1/memories', { userId: 'alice', content: 'secret plan' }, { key: secret })
    expect([answer.status, answer.json.code]).toEqual([status, code])
    expect(here.provider.requests.embeddings).toBe(before)
    expect(await count()).toBe(0)
  })

  test('with a grant for the namespace or above it writes there', async () => {
    for (const grant of ['user', 'user:alice', 'user:alice:work']) {
      const key = await tenant.keyFor(['memories:write'], [grant])
      expect((await tenant.post('/v1/memories', { namespace: 'user:alice:work', content: 'x' }, { key })).status).toBe(201)
    }
  })
})

test('nothing of it can be told from the log of who did what but which memory it was', async () => {
  const { json } = await tenant.post(
    '/v1/memories',
    { userId: 'alice', content: 'secret' },
    { headers: { 'x-request-id': 'request-0001', 'x-on-behalf-of': 'Ann' } },
  )
  const rows = await here.owner('select * from twofold.audit_log where target = $1', [json.memory.id])
  expect(rows).toMatchObject([
    {
      action: 'memories.add',
      actor: json.memory.createdBy,
      namespace: 'user:alice',
      version: '1',
      request_id: 'request-0001',
      on_behalf_of: 'Ann',
      outcome: 'ok',
    },
  ])
  expect(JSON.stringify(rows)).not.toContain('secret')
})

const audited = async (id: string) =>
  (await here.owner('select action from twofold.audit_log where target = $1 order by id', [id])).map((row) => row.action)
