import { randomUUID } from 'node:crypto'
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

const start = (id: string, more: object = {}, ask?: Ask) =>
  tenant.post('/v1/sessions', { id, appName: 'assistant', userId: 'alice', ...more }, ask)
const state = async (id: string, ask?: Ask) => (await tenant.get(`/v1/sessions/${id}`, ask)).json.session?.state
const change = (id: string, stateDelta: object, ask?: Ask) => tenant.post(`/v1/sessions/${id}/events`, { event: {}, stateDelta }, ask)
const at = (id: string, key: string) => `/v1/sessions/${id}/state/${encodeURIComponent(key)}`
const put = (id: string, key: string, value: unknown, ask?: Ask) => tenant.call('PUT', at(id, key), { value }, ask)
const match = (version: number) => ({ headers: { 'if-match': `"${version}"` } })

describe('a key of the state', () => {
  test('is set, read, changed and taken away, each a version of the session', async () => {
    await start('one')
    const made = await put('one', 'session:theme', { dark: true })
    expect([made.status, made.headers.get('etag'), made.json]).toEqual([
      200,
      '"2"',
      { key: 'session:theme', value: { dark: true }, version: 2 },
    ])
    const read = await tenant.get(at('one', 'session:theme'))
    expect([read.headers.get('etag'), read.json]).toEqual(['"2"', made.json])
    await put('one', 'session:theme', { size: 7 })
    expect(await state('one')).toEqual({ 'session:theme': { size: 7 } })
    expect((await tenant.del(at('one', 'session:theme'))).json).toEqual({ deleted: true })
    expect([(await tenant.get(at('one', 'session:theme'))).status, (await tenant.del(at('one', 'session:theme'))).status]).toEqual([
      404, 404,
    ])
    expect((await tenant.get('/v1/sessions/one')).json.session.version).toBe(4)
  })

  test('may hold null, which is not the same as to be absent', async () => {
    await start('one')
    expect((await put('one', 'x', null)).status).toBe(200)
    expect((await tenant.get(at('one', 'x'))).json).toMatchObject({ key: 'x', value: null })
    expect(await state('one')).toEqual({ x: null })
  })

  test('without a prefix is the same as with session:, and is answered as it was first written', async () => {
    await start('one', { state: { plain: 1, 'session:full': { a: 1 } } })
    await change('one', { 'session:plain': 2, full: { b: 2 } })
    expect(await state('one')).toEqual({ plain: 2, 'session:full': { a: 1, b: 2 } })
    expect((await tenant.get(at('one', 'session:plain'))).json.value).toBe(2)
    expect((await tenant.get(at('one', 'full'))).json.value).toEqual({ a: 1, b: 2 })
    await put('one', 'full', 3)
    await tenant.del(at('one', 'session:plain'))
    expect(await state('one')).toEqual({ 'session:full': 3 })
    await change('one', { full: null })
    expect(await state('one')).toEqual({})
  })

  test('is not changed against a version that has passed, by whatever way', async () => {
    await start('one', { state: { x: 1 } })
    for (const [stale, right] of [
      [() => put('one', 'x', 2, match(9)), () => put('one', 'x', 2, match(1))],
      [() => tenant.del(at('one', 'x'), match(1)), () => tenant.del(at('one', 'x'), match(2))],
    ] as const) {
      expect((await stale()).json).toMatchObject({ code: 'version_mismatch', currentVersion: expect.any(Number) })
      expect((await right()).status).toBe(200)
    }
  })

  test('stays as it is once the session has ended, and temp: ones are gone', async () => {
    await start('one', { state: { 'temp:draft': 1, 'session:kept': 2, temperature: 20, 'user:name': 'Alice' } })
    await tenant.patch('/v1/sessions/one', { status: 'terminated' })
    expect(await state('one')).toEqual({ 'session:kept': 2, temperature: 20, 'user:name': 'Alice' })
    for (const key of ['session:kept', 'user:name', 'temp:new'])
      expect([(await put('one', key, 3)).json.code, (await tenant.del(at('one', key))).json.code]).toEqual(
        Array(2).fill('invalid_transition'),
      )
  })

  test('set or taken away twice under one idempotency key was so once', async () => {
    await start('one', { state: { x: 1 } })
    for (const act of [(ask: Ask) => put('one', 'y', 2, ask), (ask: Ask) => tenant.del(at('one', 'x'), ask)]) {
      const headers = { 'idempotency-key': randomUUID() }
      const first = await act({ headers })
      const again = await act({ headers })
      expect([again.status, again.headers.get('idempotency-replayed'), again.json]).toEqual([200, 'true', first.json])
    }
    expect((await tenant.get('/v1/sessions/one')).json.session.version).toBe(3)
  })
})

describe('state that is shared', () => {
  test('of a user is seen in all his sessions of any app, of an app in all its sessions of any user', async () => {
    await start('one', { state: { 'user:name': 'Alice', 'app:model': 'small', own: 1 } })
    await start('two', { appName: 'other' })
    await start('three', { userId: 'bob' })
    expect(await state('two')).toEqual({ 'user:name': 'Alice' })
    expect(await state('three')).toEqual({ 'app:model': 'small' })
    await change('three', { 'app:model': null, 'app:limits': { day: 5 }, 'user:name': 'Bob' })
    await change('one', { 'app:limits': { night: 2 } })
    expect(await state('one')).toEqual({ own: 1, 'user:name': 'Alice', 'app:limits': { day: 5, night: 2 } })
    expect(await state('three')).toEqual({ 'user:name': 'Bob', 'app:limits': { day: 5, night: 2 } })
    await tenant.del('/v1/sessions/one')
    expect(await state('two')).toEqual({ 'user:name': 'Alice' })
    expect((await start('four', { state: { 'app:limits': 1 } })).json.session.state).toEqual({ 'user:name': 'Alice', 'app:limits': 1 })
  })

  test('has a version of its own, whichever session it is changed through', async () => {
    await start('one')
    await start('two')
    const made = await put('one', 'user:name', 'Alice')
    expect([made.json.version, made.headers.get('etag')]).toEqual([1, '"1"'])
    expect((await put('two', 'user:age', 30, match(1))).json.version).toBe(2)
    expect((await put('one', 'user:name', 'Ada', match(1))).json).toMatchObject({ code: 'version_mismatch', currentVersion: 2 })
    expect((await put('one', 'app:x', 1, match(1))).json).toMatchObject({ code: 'version_mismatch', currentVersion: 0 })
    expect((await tenant.del(at('one', 'user:name'), match(2))).status).toBe(200)
    expect(await state('two')).toEqual({ 'user:age': 30 })
  })

  test('loses nothing when many sessions write it at once', async () => {
    const ids = Array.from({ length: 12 }, (_, i) => `s${i}`)
    for (const id of ids) await start(id)
    const answers = await Promise.all(ids.map((id, i) => change(id, { [`app:${i}`]: i, [`user:${i}`]: i })))
    expect(answers.map(({ status }) => status)).toEqual(ids.map(() => 200))
    expect(Object.keys(await state('s0'))).toHaveLength(24)
  })

  test('of an app is hidden from a key without its grant, and not written by it', async () => {
    await start('one', { state: { 'app:model': 'small', 'user:name': 'Alice' } })
    const scopes = ['sessions:read', 'sessions:write']
    const narrow = { key: await tenant.keyFor(scopes, ['user:alice']) }
    const both = { key: await tenant.keyFor(scopes, ['user:alice', 'app:assistant']) }
    expect([await state('one', narrow), await state('one', both)]).toEqual([
      { 'user:name': 'Alice' },
      { 'user:name': 'Alice', 'app:model': 'small' },
    ])
    const codes = async (ask: Ask) => [
      (await change('one', { 'app:model': 'large' }, ask)).json.code,
      (await put('one', 'app:model', 'large', ask)).json.code,
      (await start(randomUUID(), { state: { 'app:model': 'large' } }, ask)).json.code,
      (await tenant.get(at('one', 'app:model'), ask)).json.code,
      (await tenant.del(at('one', 'app:model'), ask)).json.code,
    ]
    expect(await codes(narrow)).toEqual(['forbidden', 'forbidden', 'forbidden', 'not_found', 'not_found'])
    expect((await tenant.get('/v1/sessions/one')).json.session).toMatchObject({ eventCount: 0, state: { 'app:model': 'small' } })
    expect(await codes(both)).toEqual(Array(5).fill(undefined))
  })

  test('of a user needs one', async () => {
    await start('alone', { userId: undefined })
    const paths = ({ json }: { json: any }) => json.errors.map((e: any) => e.path)
    expect(paths(await start('x', { userId: undefined, state: { 'user:name': 1 } }))).toEqual(['state["user:name"]'])
    expect(paths(await change('alone', { 'user:name': 1, 'user:age': 2 }))).toEqual(['stateDelta["user:name"]', 'stateDelta["user:age"]'])
    expect(paths(await put('alone', 'user:name', 1))).toEqual(['key'])
    expect((await tenant.get(at('alone', 'user:name'))).status).toBe(404)
    expect(await state('alone')).toEqual({})
  })

  test("of one tenant is not another one's", async () => {
    await start('one', { state: { 'user:name': 'Alice', 'app:model': 'small' } })
    tenant = await here.tenant()
    await start('one')
    expect(await state('one')).toEqual({})
  })
})

test.each([
  ['x', 'session'],
  ['user:x', 'user'],
  ['app:x', 'app'],
])('%s does not grow beyond what a %s may keep, and then nothing of the request happens', async (key) => {
  await start('one')
  const part = (i: number) => `${key}${i}`
  const chunk = 'x'.repeat(100_000)
  for (const i of [1, 2]) expect((await change('one', { [part(i)]: chunk })).status).toBe(200)
  for (const refused of [await change('one', { [part(3)]: chunk }), await put('one', part(3), chunk)]) {
    expect(refused.status).toBe(400)
    expect(refused.json.errors[0]).toMatchObject({
      path: expect.stringMatching(/^(stateDelta|value)$/),
      message: expect.stringContaining('262144 bytes'),
    })
  }
  const large = await start('two', { state: { [`${key}4`]: 'x'.repeat(270_000) } })
  expect([large.status, large.json.errors[0].path]).toEqual([400, 'state'])
  expect((await tenant.get('/v1/sessions/one')).json.session.eventCount).toBe(2)
})

test.each([
  ['planet:mars', 'key'],
  ['temp:', 'key'],
  ['a:b', 'key'],
  ['a/b', 'key'],
  ['a\nb', 'key'],
  ['x'.repeat(300), 'key'],
])('the key %j is refused by name', async (key, path) => {
  await start('one')
  for (const { status, json } of [await put('one', key, 1), await tenant.get(at('one', key)), await tenant.del(at('one', key))])
    expect([status, json.errors.map((e: any) => e.path)]).toEqual([400, [path]])
})

test('a value is needed, and nothing but it', async () => {
  await start('one')
  const paths = ({ json }: { json: any }) => json.errors.map((e: any) => e.path)
  expect(paths(await tenant.call('PUT', at('one', 'x'), {}))).toEqual(['value'])
  expect(paths(await tenant.call('PUT', at('one', 'x'), { value: 1, version: 2 }))).toEqual(['version'])
  expect((await put('unknown', 'x', 1)).json.code).toBe('not_found')
})
