import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Ask, type Tenant, type World, world } from '../fixture.ts'
import { addTurn } from './add-turn.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world({ MEMORY_TTL_HOURS: '48', MEMORY_MAX_CONTEXT_LENGTH: '6' })
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const HOUR = 3600_000
const ago = (hours: number) => new Date(here.deps.now().getTime() - hours * HOUR).toISOString()
const path = (id = 'today') => `/v1/conversations/${encodeURIComponent(id)}`
const say = (query: string, more: object = {}, { id, ...ask }: Ask & { id?: string } = {}) =>
  tenant.post(`${path(id)}/turns`, { query, answer: `to ${query}`, ...more }, ask)
const read = (id?: string, key?: string) => tenant.get(path(id), key ? { key } : {})
const context = async (query = '', id?: string, key?: string) => (await tenant.get(`${path(id)}/context${query}`, key ? { key } : {})).json
const said = async (query = '', id?: string, key?: string) => (await context(query, id, key)).turns.map((turn: any) => turn.query)
const clear = (id?: string, ask?: Ask) => tenant.del(path(id), ask)
const paths = (json: any) => [...new Set((json.errors ?? []).map((e: { path: string }) => e.path))]
const rows = async (table: string) =>
  Number(
    (
      await here.owner(`select count(*) as n from twofold.${table} r join twofold.tenants t on t.id = r.tenant_id where t.uuid = $1`, [
        tenant.id,
      ])
    )[0]?.n,
  )

describe('a turn', () => {
  test('begins a conversation, or goes on with it', async () => {
    const { status, json } = await say('q1', { userId: 'alice', timestamp: '2999-01-01T01:00:00+01:00' })
    expect(status).toBe(201)
    expect(json).toEqual({
      turn: {
        ...{ id: expect.any(String), conversationId: 'today', query: 'q1', answer: 'to q1', timestamp: '2999-01-01T00:00:00.000Z' },
        ...{ expiresAt: '2999-01-03T00:00:00.000Z', memoryId: null },
      },
    })
    await say('q2')
    expect((await read()).json).toEqual({
      ...{ id: 'today', userId: 'alice', historyLength: 2, ttlHours: 48, createdAt: expect.any(String), lastUpdated: expect.any(String) },
      expiresAt: '2999-01-03T00:00:00.000Z',
    })
    expect(await context()).toEqual({
      turns: [
        { id: expect.any(String), query: 'q2', answer: 'to q2', timestamp: expect.any(String) },
        { id: json.turn.id, query: 'q1', answer: 'to q1', timestamp: '2999-01-01T00:00:00.000Z' },
      ],
    })
  })

  test('of fifty writers at once is there, and so is the conversation, once', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, (_, i) => say(`q${i}`)))
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([201]))
    expect([(await read()).json.historyLength, await rows('conversations'), await rows('turns')]).toEqual([50, 1, 50])
  })

  test('sent again under its idempotency key was said once, and is gone when the conversation is', async () => {
    const headers = { 'idempotency-key': randomUUID() }
    const first = await say('q', { remember: true }, { headers })
    const again = await say('q', { remember: true }, { headers })
    expect([again.status, again.headers.get('idempotency-replayed'), again.json.turn]).toEqual([201, 'true', first.json.turn])
    expect(again.json.memory).toEqual(first.json.memory)
    expect([await rows('turns'), await rows('memories')]).toEqual([1, 1])
    expect((await say('other', {}, { headers })).json.code).toBe('idempotency_mismatch')
    const known = async () =>
      (
        await here.owner(
          `select k.request_hash is not null as known from twofold.idempotency_keys k join twofold.tenants t on t.id = k.tenant_id where t.uuid = $1 and k.key = $2`,
          [tenant.id, headers['idempotency-key']],
        )
      ).map((row) => row.known)
    expect(await known()).toEqual(['t'])
    await clear()
    expect(await known()).toEqual(['f'])
    expect((await say('q', { remember: true }, { headers })).json.code).toBe('gone')
    expect(await said()).toEqual([])
  })
})

describe('the time to live', () => {
  test('is the own one of a turn, else that of its conversation, else what is configured; and counts from the timestamp', async () => {
    const until = async (more: object, id?: string) => {
      const { turn } = (await say('q', more, { id })).json
      return (Date.parse(turn.expiresAt) - Date.parse(turn.timestamp)) / HOUR
    }
    expect(await until({})).toBe(48)
    expect(await until({ ttlHours: 1.5 })).toBe(1.5)
    expect(await until({})).toBe(48)
    expect(await until({ conversationTtlHours: 10, timestamp: ago(5) })).toBe(10)
    expect(await until({})).toBe(10)
    expect(await until({ ttlHours: 2, conversationTtlHours: 20 })).toBe(2)
    expect(await until({})).toBe(20)
    expect((await read()).json.ttlHours).toBe(20)
    expect(await until({ conversationTtlHours: 3 }, 'other')).toBe(3)
    expect(await until({ ttlHours: 4 }, 'third')).toBe(4)
    expect(await until({}, 'third')).toBe(48)
    expect((await say('late', { timestamp: '9999-12-31T00:00:00Z', ttlHours: 48 })).json.turn.expiresAt).toBe('9999-12-31T23:59:59.999Z')
  })

  test('over, a turn is shown nowhere, and a conversation of such turns is none', async () => {
    expect((await say('old', { timestamp: ago(49), userId: 'alice' })).status).toBe(201)
    expect([await said(), (await read()).json.code, (await tenant.get('/v1/conversations')).json.items]).toEqual([[], 'not_found', []])
    await say('young', { timestamp: ago(47) })
    await say('dead', { timestamp: ago(49) })
    expect([await said(), (await read()).json.historyLength]).toEqual([['young'], 1])
    here.pass(2 * HOUR)
    expect([await said(), (await read()).json.code]).toEqual([[], 'not_found'])
  })

  test('over, its id is free again for whoever comes', async () => {
    await say('old', { userId: 'alice', conversationTtlHours: 1 })
    expect((await say('q', { userId: 'bob' })).json.code).toBe('conflict')
    here.pass(2 * HOUR)
    expect((await say('q', { userId: 'bob' })).status).toBe(201)
    expect((await read()).json).toMatchObject({ userId: 'bob', historyLength: 1, ttlHours: 48 })
    expect(await rows('turns')).toBe(1)
  })
})

describe('the context', () => {
  test('is what was said last, oldest first by when it was said, five turns unless told, and never more than is configured', async () => {
    for (let i = 1; i <= 8; i++) await say(`q${i}`, { timestamp: ago(i) })
    expect(await said()).toEqual(['q5', 'q4', 'q3', 'q2', 'q1'])
    expect(await said('?limit=2')).toEqual(['q2', 'q1'])
    expect(await said('?limit=500')).toEqual(['q6', 'q5', 'q4', 'q3', 'q2', 'q1'])
  })

  test('of turns of one moment keeps the order in which they came', async () => {
    const timestamp = ago(1)
    for (const q of ['a', 'b', 'c', 'd']) await say(q, { timestamp })
    expect(await said('?limit=3')).toEqual(['b', 'c', 'd'])
  })

  test('of a conversation that never was is empty', async () => {
    expect(await context('', 'never')).toEqual({ turns: [] })
  })

  test('within so many tokens is the newest turns that fit, each whole', async () => {
    for (const q of ['one', 'two two two', 'three']) await say(q, { answer: 'yes' })
    expect(await context('?maxTokens=2')).toMatchObject({ turns: [{ query: 'three' }], tokens: 2 })
    expect(await context('?maxTokens=1')).toEqual({ turns: [], tokens: 0 })
    expect(await context('?maxTokens=5')).toMatchObject({ turns: [{ query: 'three' }], tokens: 2 })
    expect(await context('?maxTokens=6')).toMatchObject({ turns: [{ query: 'two two two' }, { query: 'three' }], tokens: 6 })
    expect(await context('?maxTokens=1000&limit=2')).toMatchObject({ turns: [{}, {}], tokens: 6 })
  })
})

describe('a conversation', () => {
  test('belongs to its user, without one to itself, and a key sees what its grants cover', async () => {
    await say('q', { userId: 'alice' })
    await say('q', {}, { id: 'alone' })
    const alice = await tenant.keyFor(['sessions:read', 'sessions:write'], ['user:alice'])
    const alone = await tenant.keyFor(['sessions:read', 'sessions:write'], ['session:alone'])
    const other = (await here.tenant()).key
    expect([await said('', 'today', alice), await said('', 'alone', alice)]).toEqual([['q'], []])
    expect([await said('', 'today', alone), await said('', 'alone', alone)]).toEqual([[], ['q']])
    expect([await said('', 'today', other), (await read('today', other)).json.code]).toEqual([[], 'not_found'])
    expect((await read('today', alone)).json.code).toBe('not_found')
    const listed = async (key: string) => (await tenant.get('/v1/conversations', { key })).json.items.map((one: any) => one.id)
    expect([await listed(alice), await listed(alone), await listed(other), await listed(tenant.key)]).toEqual([
      ['today'],
      ['alone'],
      [],
      ['alone', 'today'],
    ])
    expect((await clear('today', { key: alone })).json).toEqual({ cleared: false })
    expect((await tenant.post('/v1/conversations/cleanup', { maxAgeHours: 0.0000001 }, { key: alone })).json).toEqual({
      cleaned: 1,
      done: true,
    })
    expect(await said()).toEqual(['q'])
    expect((await say('q', {}, { key: alone })).json.code).toBe('forbidden')
    expect((await say('q', {}, { key: alice })).status).toBe(201)
    expect((await say('q', { userId: 'bob' }, { key: alice })).json.code).toBe('forbidden')
    expect((await say('q', { userId: 'bob' })).json.code).toBe('conflict')
    expect((await say('q', {}, { id: 'new', key: alice })).json.code).toBe('forbidden')
    const reader = await tenant.keyFor(['sessions:read'], ['*'])
    expect((await say('q', {}, { key: reader })).json.code).toBe('forbidden')
  })

  test('whose id could be a namespace needs a user, who is then known', async () => {
    const { status, json } = await say('q', {}, { id: 'a:b' })
    expect([status, paths(json)]).toEqual([400, ['userId']])
    expect((await say('q', { userId: 'alice' }, { id: 'a:b' })).status).toBe(201)
    expect((await say('q', {}, { id: 'a:b' })).status).toBe(201)
    expect((await read('a:b')).json).toMatchObject({ id: 'a:b', userId: 'alice', historyLength: 2 })
  })

  test('is listed newest first, page by page, whatever comes meanwhile', async () => {
    for (let i = 1; i <= 5; i++) await say('q', { userId: i % 2 ? 'alice' : 'bob' }, { id: `c${i}` })
    const page = async (query: string) => (await tenant.get(`/v1/conversations?${query}`)).json
    const first = await page('limit=2')
    await say('q', {}, { id: 'c6' })
    const second = await page(`limit=2&cursor=${first.nextCursor}`)
    const third = await page(`limit=2&cursor=${second.nextCursor}`)
    expect([first, second, third].flatMap(({ items }) => items.map((one: any) => one.id))).toEqual(['c5', 'c4', 'c3', 'c2', 'c1'])
    expect([third.nextCursor, first.items[0]]).toEqual([null, (await read('c5')).json])
    expect((await page('userId=bob')).items.map((one: any) => one.id)).toEqual(['c4', 'c2'])
  })

  test('is cleared for good, once; a second time says that there is none', async () => {
    await say('q', { remember: true, userId: 'alice' })
    expect((await clear()).json).toEqual({ cleared: true })
    expect([await said(), (await read()).json.code, await rows('turns'), await rows('memories')]).toEqual([[], 'not_found', 0, 1])
    expect((await clear()).json).toEqual({ cleared: false })
  })

  test('cleared twice under one idempotency key is cleared once, and what was answered is answered again', async () => {
    const [one, two] = [{ 'idempotency-key': randomUUID() }, { 'idempotency-key': randomUUID() }]
    expect((await clear('today', { headers: two })).json).toEqual({ cleared: false })
    await say('q')
    expect((await clear('today', { headers: two })).json).toEqual({ cleared: false })
    expect((await clear('today', { headers: one })).json).toEqual({ cleared: true })
    await say('q')
    const again = await clear('today', { headers: one })
    expect([again.json, again.headers.get('idempotency-replayed')]).toEqual([{ cleared: true }, 'true'])
    expect(await said()).toEqual(['q'])
  })

  test('being cleared while turns come: each of these is there with its conversation or gone with it, never half', async () => {
    await say('q')
    const all = await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 4 === 3 ? clear() : say(`q${i}`, { remember: true }))))
    expect(all.map(({ status }) => status).filter((status) => status >= 300)).toEqual([])
    expect(await rows('memories')).toBe(30)
    const { json } = await read()
    expect([await rows('turns'), await rows('conversations')]).toEqual(json.code ? [0, 0] : [json.historyLength, 1])
  })

  test.each(["'; drop table turns; --", 'emoji 🦊', '100%', '..x', '%2e', 'a?b#c&d=e+f', '"x"', ' ', '$1', '{id}', 'cleanups'])(
    'has any id that is a string: %s',
    async (id) => {
      expect((await say('q', {}, { id })).json.turn.conversationId).toBe(id)
      expect([await said('', id), (await read(id)).json.id, (await clear(id)).json]).toEqual([['q'], id, { cleared: true }])
    },
  )
})

describe('what is remembered', () => {
  test('of a turn is a memory that says both, and is found', async () => {
    const { turn, memory, receipt } = (
      await say('Where does Anna live?', { answer: 'In Porto.', remember: true, userId: 'alice', timestamp: ago(1) })
    ).json
    expect(memory).toMatchObject({
      ...{ namespace: 'user:alice', content: 'Where does Anna live?\nIn Porto.', type: 'episodic', conversationId: 'today' },
      ...{ occurredAt: turn.timestamp, id: turn.memoryId, version: 1 },
    })
    expect(receipt.stores.vector.state).toBe('written')
    expect(await tenant.found({ query: 'Porto' })).toEqual([memory.id])
    expect((await tenant.get(`/v1/memories/${memory.id}`)).json.memory).toEqual(memory)
  })

  test('lies where its conversation does, whether or not the turn says so', async () => {
    await say('q', { userId: 'alice' })
    expect((await say('q', { remember: true })).json.memory.namespace).toBe('user:alice')
    expect((await say('q', { remember: true }, { id: 'alone' })).json.memory.namespace).toBe('session:alone')
  })

  test('is there with the turn or not at all', async () => {
    await say('q', { userId: 'alice' })
    expect((await say('q', { userId: 'bob', remember: true })).json.code).toBe('conflict')
    expect([await rows('memories'), await rows('turns'), await rows('ledger')]).toEqual([0, 1, 0])
  })
})

describe('cleaning up', () => {
  test('removes what has expired, and with an age what nothing was said in for so long', async () => {
    for (const [id, hours] of [
      ['dead', 100],
      ['old', 30],
      ['young', 1],
    ] as const)
      await say('q', { timestamp: ago(hours) }, { id })
    await say('q', { timestamp: ago(40) }, { id: 'young' })
    const cleanup = (body: object = {}) => tenant.post('/v1/conversations/cleanup', body)
    expect((await cleanup()).json).toEqual({ cleaned: 1, done: true })
    expect((await cleanup({ maxAgeHours: 24 })).json).toEqual({ cleaned: 1, done: true })
    expect((await cleanup({ maxAgeHours: 24 })).json).toEqual({ cleaned: 0, done: true })
    expect([(await read('old')).status, (await read('young')).json.historyLength, await rows('turns')]).toEqual([404, 2, 2])
  })

  test('goes on where a bounded part was not all, and answers the same again under its idempotency key', async () => {
    await say('q', { timestamp: ago(100) })
    await here.owner(
      `insert into twofold.conversations (tenant_id, id, name, namespace, written, created_at, updated_at, last_at, expires_at)
       select c.tenant_id, gen_random_uuid(), 'c' || i, 'user:c' || i, 1, c.created_at, c.updated_at, c.last_at, c.expires_at
       from twofold.conversations c join twofold.tenants t on t.id = c.tenant_id, generate_series(1, 250) i where t.uuid = $1`,
      [tenant.id],
    )
    const headers = { 'idempotency-key': randomUUID() }
    const cleanup = (ask?: Ask) => tenant.post('/v1/conversations/cleanup', {}, ask)
    expect((await cleanup({ headers })).json).toEqual({ cleaned: 200, done: false })
    const again = await cleanup({ headers })
    expect([again.json, again.headers.get('idempotency-replayed')]).toEqual([{ cleaned: 200, done: false }, 'true'])
    expect((await cleanup()).json).toEqual({ cleaned: 51, done: true })
  })
})

test('one cleanup removes no more than so many turns, and always one conversation', async () => {
  for (const id of ['a', 'b', 'c']) await say('q', { timestamp: ago(100) }, { id })
  await here.owner('update twofold.conversations c set written = 30000 from twofold.tenants t where t.id = c.tenant_id and t.uuid = $1', [
    tenant.id,
  ])
  const cleanup = async () => (await tenant.post('/v1/conversations/cleanup', {})).json
  expect([await cleanup(), await cleanup(), await cleanup()]).toEqual([
    { cleaned: 1, done: false },
    { cleaned: 1, done: false },
    { cleaned: 1, done: true },
  ])
})

test('the status counts conversations and turns that have not expired', async () => {
  await say('q1')
  await say('q2', { timestamp: ago(100) })
  await say('q3', {}, { id: 'other' })
  await say('dead', { timestamp: ago(100) }, { id: 'dead' })
  expect((await tenant.get('/api/persistence/status')).json.conversations).toEqual({ count: 2, turns: 2 })
})

describe('bad input', () => {
  test.each([
    [{ query: undefined }, 'query'],
    [{ query: '' }, 'query'],
    [{ query: 7 }, 'query'],
    [{ answer: undefined }, 'answer'],
    [{ answer: 'a\0b' }, 'answer'],
    [{ timestamp: '0000-01-01T00:00:00Z' }, 'timestamp'],
    [{ timestamp: '300000-01-01T00:00:00Z' }, 'timestamp'],
    [{ timestamp: '+300000-01-01T00:00:00Z' }, 'timestamp'],
    [{ timestamp: 'yesterday' }, 'timestamp'],
    [{ timestamp: 1767225600 }, 'timestamp'],
    [{ userId: 'a:b' }, 'userId'],
    [{ userId: '' }, 'userId'],
    [{ ttlHours: 0 }, 'ttlHours'],
    [{ ttlHours: -1 }, 'ttlHours'],
    [{ ttlHours: 87_601 }, 'ttlHours'],
    [{ ttlHours: '24' }, 'ttlHours'],
    [{ conversationTtlHours: 0 }, 'conversationTtlHours'],
    [{ remember: 'yes' }, 'remember'],
    [{ namespace: 'user:alice' }, 'namespace'],
  ])('a turn with %j is refused by name', async (wrong, path) => {
    const { status, json } = await say('q', wrong)
    expect([status, paths(json)]).toEqual([400, [path]])
    expect(await rows('conversations')).toBe(0)
  })

  test('a turn of too many characters is refused by name, sooner when it is to be remembered', async () => {
    expect(paths((await say('q', { answer: 'x'.repeat(100_001) })).json)).toEqual(['answer'])
    expect(paths((await say('q', { answer: 'x'.repeat(100_000), remember: true })).json)).toEqual(['answer'])
    expect((await say('q', { answer: 'x'.repeat(100_000) })).status).toBe(201)
  })

  test.each(['a\0b', 'a\nb', 'a/b', 'ab'.repeat(128)])('an id as %j is refused by every route', async (id) => {
    const answers = [await say('q', {}, { id }), await read(id), await tenant.get(`${path(id)}/context`), await clear(id)]
    for (const { status, json } of answers) expect([status, paths(json)]).toEqual([400, ['id']])
  })

  test('an id to which no path leads is refused, in whatever way it comes', async () => {
    expect(paths((await say('q', {}, { id: 'cleanup' })).json)).toEqual(['id'])
    const taken = (id: string) => addTurn.input.safeParse({ id, query: 'q', answer: 'a' }).success
    expect(['.', '..', 'cleanup', '...', '.x'].map(taken)).toEqual([false, false, false, true, true])
  })

  test.each([
    ['/v1/conversations/today/context?limit=0', 'limit'],
    ['/v1/conversations/today/context?limit=501', 'limit'],
    ['/v1/conversations/today/context?maxTokens=0', 'maxTokens'],
    ['/v1/conversations/today/context?maxTokens=1.5', 'maxTokens'],
    ['/v1/conversations/today/context?userId=alice', 'userId'],
    ['/v1/conversations/today?limit=1', 'limit'],
    ['/v1/conversations?limit=501', 'limit'],
    ['/v1/conversations?cursor=x', 'cursor'],
    ['/v1/conversations?userId=user%3A%25', 'userId'],
  ])('%s is refused by name', async (url, path) => {
    const { status, json } = await tenant.get(url)
    expect([status, paths(json)]).toEqual([400, [path]])
  })

  test.each([{ maxAgeHours: 0 }, { maxAgeHours: -1 }, { maxAgeHours: 'old' }, { maxAgeHours: 1e9 }])(
    'cleaning up with %j is refused by name',
    async (body) => {
      const { status, json } = await tenant.post('/v1/conversations/cleanup', body)
      expect([status, paths(json)]).toEqual([400, ['maxAgeHours']])
    },
  )
})
