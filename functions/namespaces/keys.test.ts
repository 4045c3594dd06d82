import type { Memory } from '@twofold/core/memories/memory.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Ask, type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const PREFERENCES = 'user:alice:preferences'
const at = (namespace: string, key: string) => `/v1/namespaces/${encodeURIComponent(namespace)}/keys/${encodeURIComponent(key)}`
const THEME = at(PREFERENCES, 'theme')
const put = (body: unknown, ask?: Ask, url = THEME) => tenant.call('PUT', url, body, ask)
const versions = async (url = THEME) =>
  (await tenant.get(`${url}/history?limit=100`)).json.items.map((item: { version: number; action: string }) => [item.version, item.action])

describe('setting a key', () => {
  test('that no memory had makes version 1, then each time the next version of the same memory', async () => {
    const first = await put({ value: { mode: 'light' }, type: 'procedural' })
    expect([first.status, first.headers.get('etag')]).toEqual([201, '"1"'])
    expect(first.json.memory).toMatchObject({
      namespace: PREFERENCES,
      key: 'theme',
      value: { mode: 'light' },
      content: 'mode: light',
      version: 1,
    })
    const second = await put({ value: { mode: 'dark' } })
    expect([second.status, second.headers.get('etag')]).toEqual([200, '"2"'])
    expect(second.json.memory).toMatchObject({ id: first.json.memory.id, value: { mode: 'dark' }, content: 'mode: dark', version: 2 })
    const now = await tenant.get(THEME)
    expect([now.headers.get('etag'), now.json.memory]).toEqual(['"2"', second.json.memory])
    expect((await tenant.get(`${THEME}?version=1`)).json.memory).toEqual(first.json.memory)
    expect(await versions()).toEqual([
      [2, 'memories.update'],
      [1, 'memories.add'],
    ])
  })

  test('says all that there is of it: what is not named has its default, as in a new memory', async () => {
    const all = {
      value: 1,
      type: 'episodic',
      kind: 'preference',
      importance: 9,
      summary: 's',
      metadata: { a: 1 },
      tags: ['t'],
      speaker: 'Ann',
    }
    const more = { conversationId: 'c', sessionId: 's', taskId: 't', occurredAt: '2020-01-01T00:00:00Z', expiresAt: '2999-01-01T00:00:00Z' }
    await put({ ...all, ...more, entities: [{ type: 'person', value: 'Ann' }] })
    const { memory } = (await put({ content: 'plain' })).json
    const { createdAt } = memory
    expect(memory).toMatchObject({
      content: 'plain',
      value: null,
      type: 'semantic',
      kind: 'note',
      importance: 5,
      summary: null,
      metadata: {},
      tags: [],
    })
    expect(memory).toMatchObject({
      speaker: null,
      conversationId: null,
      sessionId: null,
      taskId: null,
      occurredAt: createdAt,
      expiresAt: null,
      entities: [],
    })
    expect(await tenant.found({ query: 'plain', namespacePrefix: 'user:alice', userId: undefined })).toEqual([memory.id])
  })

  test('to the same text keeps the vector and what was found in it', async () => {
    const { memory } = (await put({ content: 'met Anna there' })).json
    expect(memory.entities.map((e: { value: string }) => e.value)).toEqual(['Anna'])
    here.provider.fail('server-error')
    const { json } = await put({ content: 'met Anna there', tags: ['x'] })
    here.provider.fail(null)
    expect(json.receipt.owed).toEqual(['graph'])
    expect(json.memory).toMatchObject({ entities: memory.entities, tags: ['x'], version: 2 })
  })

  test('whose memory was softly deleted goes on with its history', async () => {
    const { memory } = (await put({ value: 'Rome' })).json
    await tenant.del(THEME)
    expect((await tenant.get(THEME)).status).toBe(404)
    const again = await put({ value: 'Milan' })
    expect([again.status, again.json.memory.id, again.json.memory.version, again.json.memory.deletedAt]).toEqual([200, memory.id, 3, null])
    expect((await tenant.get(THEME)).json.memory.value).toBe('Milan')
    expect(await versions()).toEqual([
      [3, 'memories.update'],
      [2, 'memories.delete'],
      [1, 'memories.add'],
    ])
  })

  test('that another memory got meanwhile, however it got it, changes that one; and of several that had it the last', async () => {
    const old = (await put({ value: 'old' })).json.memory as Memory
    await tenant.del(THEME)
    const next = await tenant.add({ namespace: PREFERENCES, key: 'theme', content: 'next' })
    expect((await put({ value: 'mine' })).json.memory).toMatchObject({ id: next.id, version: 2 })
    await tenant.del(THEME)
    expect((await put({ value: 'back' })).json.memory).toMatchObject({ id: next.id, version: 4 })
    expect((await tenant.get(`/v1/memories/${old.id}/history`)).json.items).toHaveLength(2)
  })

  test('that has expired and waits for the sweep is no obstacle', async () => {
    await put({ value: 'short', expiresAt: new Date(here.deps.now().getTime() + 1000).toISOString() })
    here.pass(2000)
    expect((await tenant.get(THEME)).status).toBe(404)
    expect((await put({ value: 'long' })).json.memory).toMatchObject({ value: 'long', version: 2, expiresAt: null })
    expect((await tenant.get(THEME)).status).toBe(200)
  })

  test('at once by two, and by eight, lets each make a version', async () => {
    const two = await Promise.all([put({ value: 'a' }), put({ value: 'b' })])
    expect(two.map(({ status, json }) => [status, json.memory.version]).sort()).toEqual([
      [200, 2],
      [201, 1],
    ])
    const eight = await Promise.all(Array.from({ length: 8 }, (_, i) => put({ value: i }, undefined, at(PREFERENCES, 'many'))))
    expect(eight.map(({ json }) => json.memory.version).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(new Set(eight.map(({ json }) => json.memory.id)).size).toBe(1)
    const after = (await tenant.get(at(PREFERENCES, 'many'))).json.memory
    expect(after).toEqual(eight.find(({ json }) => json.memory.version === 8)?.json.memory)
  })

  test('while others delete it tells each the truth', async () => {
    await put({ value: 0 })
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => (i % 2 ? tenant.del(THEME) : put({ value: i }))))
    expect(all.filter((answer, i) => (i % 2 ? ![200, 404].includes(answer.status) : answer.status !== 200))).toEqual([])
    const made = all.filter(({ status }) => status === 200).length
    expect((await versions()).map(([version]: [number]) => version)).toEqual(Array.from({ length: made + 1 }, (_, i) => made + 1 - i))
  })

  test('with waitFor: graph shows it in the graph before it answers', async () => {
    for (const value of ['Anna likes tea', 'Bert likes tea']) {
      const { json } = await put({ value, waitFor: 'graph' })
      expect(json.receipt).toMatchObject({ graphWriteSuccess: true, owed: [] })
    }
  })
})

describe('If-Match', () => {
  const matching = (version: string) => ({ headers: { 'if-match': version } })

  test('names the version that is set or deleted', async () => {
    const missing = await put({ value: 1 }, matching('"1"'))
    expect([missing.status, missing.json.code, missing.json.currentVersion]).toEqual([412, 'version_mismatch', null])
    await put({ value: 1 })
    expect((await put({ value: 2 }, matching('"1"'))).json.memory.version).toBe(2)
    const late = await put({ value: 3 }, matching('"1"'))
    expect([late.status, late.json.currentVersion]).toEqual([412, 2])
    const kept = await tenant.del(THEME, matching('"1"'))
    expect([kept.status, kept.json.currentVersion]).toEqual([412, 2])
    expect((await tenant.del(THEME, matching('"2"'))).status).toBe(200)
    const gone = await put({ value: 4 }, matching('"2"'))
    expect([gone.status, gone.json.currentVersion]).toEqual([412, 3])
  })

  test('of eight at once lets one through', async () => {
    await put({ value: 0 })
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => put({ value: i }, matching('"1"'))))
    expect(all.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)])
  })
})

describe('an idempotency key', () => {
  const once = { headers: { 'idempotency-key': 'put-1' } }

  test('gives the first answer again, whatever happened since', async () => {
    const first = await put({ value: 1 }, once)
    await put({ value: 2 })
    const again = await put({ value: 1 }, once)
    expect([again.status, again.headers.get('idempotency-replayed'), again.json.memory]).toEqual([201, 'true', first.json.memory])
    expect((await put({ value: 3 }, once)).json.code).toBe('idempotency_mismatch')
    await tenant.del(THEME)
    expect((await put({ value: 1 }, once)).json.memory).toEqual(first.json.memory)
    expect((await versions()).length).toBe(3)
    await tenant.del(`${THEME}?hard=true`)
    expect((await put({ value: 1 }, once)).status).toBe(410)
  })

  test('sent by eight twins at once sets once', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => put({ value: 'twins' }, once)))
    expect(all.filter(({ status, json }) => status !== 201 && json.code !== 'in_progress')).toEqual([])
    expect(await versions()).toEqual([[1, 'memories.add']])
  })

  test.each(['', '?hard=true'])('of a deletion%s answers as it first did, and deletes nothing that came after', async (query) => {
    await put({ value: 1 })
    const headers = { 'idempotency-key': 'delete-1' }
    const first = await tenant.del(THEME + query, { headers })
    const next = await tenant.add({ namespace: PREFERENCES, key: 'theme', content: 'next' })
    const again = await tenant.del(THEME + query, { headers })
    expect([first.status, again.status, again.headers.get('idempotency-replayed')]).toEqual([200, 200, 'true'])
    expect(again.json).toMatchObject({ deleted: true, hard: query !== '' })
    expect((await tenant.get(THEME)).json.memory).toEqual(next)
  })
})

describe('deleting a key', () => {
  test('softly keeps its versions readable, for good leaves none', async () => {
    await put({ value: 'one' })
    expect((await tenant.del(THEME)).json).toMatchObject({ deleted: true, hard: false })
    expect((await tenant.del(THEME)).status).toBe(404)
    expect((await tenant.get(`${THEME}?version=1`)).json.memory.value).toBe('one')
    expect((await versions()).length).toBe(2)
    expect((await tenant.del(`${THEME}?hard=true`)).json).toMatchObject({ deleted: true, hard: true })
    for (const path of ['', '?version=1', '/history']) expect((await tenant.get(THEME + path)).status).toBe(404)
    expect((await put({ value: 'anew' })).json.memory.version).toBe(1)
  })
})

describe('what is not there', () => {
  test('is not found: a key that nobody set, a version there is not', async () => {
    const { status, json } = await tenant.get(THEME)
    expect([status, json.code, json.detail]).toEqual([404, 'not_found', 'There is no such key in this namespace.'])
    expect((await tenant.del(THEME)).status).toBe(404)
    expect((await tenant.get(`${THEME}/history`)).status).toBe(404)
    await put({ value: 1 })
    expect((await tenant.get(`${THEME}?version=2`)).status).toBe(404)
    expect((await tenant.get(at('user:alice', 'theme'))).status).toBe(404)
    expect((await tenant.get(at(PREFERENCES, 'Theme'))).status).toBe(404)
    expect((await (await here.tenant()).get(THEME)).status).toBe(404)
  })

  test('to a key without the grant is forbidden, as any namespace that is named', async () => {
    await put({ value: 1 })
    const narrow = { key: await tenant.keyFor(['memories:read', 'memories:write'], ['user:al', 'user:alice:work']) }
    for (const answer of [
      await tenant.get(THEME, narrow),
      await tenant.get(`${THEME}?version=1`, narrow),
      await tenant.get(`${THEME}/history`, narrow),
      await put({ value: 2 }, narrow),
      await put({ value: 2 }, narrow, at(PREFERENCES, 'new')),
      await tenant.del(THEME, narrow),
    ])
      expect([answer.status, answer.json.code]).toEqual([403, 'forbidden'])
    const reader = { key: await tenant.keyFor(['memories:read'], ['user:alice']) }
    expect((await tenant.get(THEME, reader)).status).toBe(200)
    expect((await put({ value: 2 }, reader)).status).toBe(403)
    expect((await put({ value: 2 }, { key: null })).status).toBe(401)
    expect(await versions()).toEqual([[1, 'memories.add']])
  })
})

describe('a name', () => {
  test.each([
    ['user:%', '%'],
    ['user:_:100%', 'a b+c&d=e?f#g'],
    ['project:Ünïcode:日本', 'ключ 🗝'],
    [`user:o'brien "x" \\`, `'; drop table memories; --`],
    ['session:%2F', '%2F%00%u0000'],
    ['app:..:.', '...'],
    [`user:${'日'.repeat(255)}:${'b'.repeat(200)}`, '🗝'.repeat(127)],
  ])('of whatever characters is data: %s', async (namespace, key) => {
    const made = await put({ value: 1 }, undefined, at(namespace, key))
    expect([made.status, made.json.memory?.namespace, made.json.memory?.key]).toEqual([201, namespace, key])
    expect((await tenant.get(at(namespace, key))).json.memory).toEqual(made.json.memory)
    await tenant.add({ namespace: 'user:someone', key: 'other', content: 'x' })
    expect((await tenant.get('/v1/memories?limit=10')).json.items).toHaveLength(2)
    expect((await tenant.del(at(namespace, key))).status).toBe(200)
    expect((await tenant.get('/v1/memories')).json.items).toHaveLength(1)
  })

  test.each([
    ['user', 'k', 'namespace'],
    ['planet:mars', 'k', 'namespace'],
    ['user:alice:', 'k', 'namespace'],
    ['user::alice', 'k', 'namespace'],
    ['user:a/b', 'k', 'namespace'],
    ['user:a\u0001', 'k', 'namespace'],
    ['user:\0', 'k', 'namespace'],
    [`user:${'日'.repeat(255)}:${'本'.repeat(255)}`, 'k', 'namespace'],
    ['user:alice', 'a/b', 'key'],
    ['user:alice', 'a\nb', 'key'],
    ['user:alice', 'x'.repeat(256), 'key'],
  ])('that cannot be one is refused: %s, %s', async (namespace, key, path) => {
    for (const answer of [
      await put({ value: 1 }, undefined, at(namespace, key)),
      await tenant.get(at(namespace, key)),
      await tenant.get(`${at(namespace, key)}/history`),
      await tenant.del(at(namespace, key)),
    ])
      expect([answer.status, answer.json.errors.map((e: { path: string }) => e.path)]).toEqual([400, [path]])
  })

  test('that is no UTF-8 is refused by name', async () => {
    const { status, json } = await tenant.get('/v1/namespaces/user%3Aalice/keys/%F0%28')
    expect([status, json.errors[0].path]).toEqual([400, 'key'])
  })
})

describe('a value', () => {
  test.each<[string, unknown, string]>([
    ['that is missing', {}, 'value'],
    ['that is null', { value: null }, 'value'],
    ['beside a content too long', { content: 'x'.repeat(100_001) }, 'content'],
    ['beside an empty content', { value: 1, content: '' }, 'content'],
    ['with an id', { value: 1, id: '0192f0c1-2a3b-7c4d-8e5f-60718293a4b5' }, 'id'],
    ['with a userId', { value: 1, userId: 'alice' }, 'userId'],
    ['with a mode of rollback', { value: 1, onGraphFailure: 'rollback' }, 'onGraphFailure'],
    ['with a type there is not', { value: 1, type: 'fact' }, 'type'],
    ['that has expired', { value: 1, expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
    ['with a vector of another dimension', { value: 1, embedding: [1, 2] }, 'embedding'],
    ['with a NUL', { value: { a: ['x\0'] } }, 'value.a[0]'],
  ])('%s is refused by name, whether there is a key or not', async (_, body, path) => {
    for (let i = 0; i < 2; i++) {
      const { status, json } = await put(body)
      expect([status, json.errors.map((e: { path: string }) => e.path)]).toEqual([400, [path]])
      await put({ value: 'there' })
    }
    expect((await tenant.get(THEME)).json.memory.value).toBe('there')
  })

  test('of more than a request may hold is too large, one of nearly that is kept whole', async () => {
    expect((await put({ value: 'x'.repeat(1024 * 1024) })).status).toBe(413)
    const value = { list: Array(60_000).fill('some words') }
    expect((await put({ value })).status).toBe(201)
    expect((await tenant.get(THEME)).json.memory.value).toEqual(value)
  })

  test.each(['?version=0', '?version=-1', '?version=1.5', '?version=2147483648', '?version=x'])(
    'at %s is refused by name',
    async (query) => {
      const { status, json } = await tenant.get(THEME + query)
      expect([status, json.errors[0].path]).toEqual([400, 'version'])
    },
  )
})
