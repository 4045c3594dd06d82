import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import * as z from 'zod-own'
import { once, serve } from './http.ts'
import { desk, JSON_KEY, KEY, notes } from './notes.fixture.ts'
import { operation } from './operation.ts'
import { Refusal } from './refusal.ts'

const post = (body: unknown, headers = {}) => ({ method: 'POST', headers: { ...JSON_KEY, ...headers }, body: JSON.stringify(body) })

test('an answer carries its status, version, request id and timings, and nothing that its schema does not name', async () => {
  const { app, observed } = desk()
  const made = await app.request('/v1/notes', post({ content: 'x' }, { 'x-request-id': 'mine-0001' }))
  expect(made.status).toBe(201)
  expect(made.headers.get('etag')).toBe('"1"')
  expect(made.headers.get('x-request-id')).toBe('mine-0001')
  expect(made.headers.get('server-timing')).toMatch(/^total;dur=[\d.]+$/)
  expect(made.headers.get('cache-control')).toBe('no-store')
  const got = await app.request('/v1/notes/a', { headers: { ...KEY, 'x-request-id': 'short' } })
  expect(await got.json()).toEqual({ note: { id: 'a', content: 'x', version: 7 } })
  expect(got.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/)
  expect(observed.map(({ operation, status, code }) => [operation, status, code])).toEqual([
    ['notes.add', 201, null],
    ['notes.get', 200, null],
  ])
})

test('the parts of the time are named to the caller and the observer', async () => {
  const { app, here, observed } = desk()
  here.wait = Promise.resolve()
  const { headers } = await app.request('/v1/notes/a', { headers: KEY })
  expect(headers.get('server-timing')).toMatch(/^db;dur=[\d.]+, total;dur=[\d.]+$/)
  expect([...(observed[0]?.parts.keys() ?? [])]).toEqual(['db'])
})

test('HEAD answers the headers of GET without its body', async () => {
  const { app } = desk()
  const answer = await app.request('/v1/notes/a', { method: 'HEAD', headers: KEY })
  expect([answer.status, answer.headers.get('etag'), await answer.text()]).toEqual([200, '"7"', ''])
})

test('a key is asked for, hashed, and never shown to the handler', async () => {
  const { app, here } = desk()
  for (const authorization of ['', 'Bearer', 'Bearer ', 'Basic dXNlcg==', 'Bearer a b', `Bearer ${'x'.repeat(513)}`]) {
    const refused = await app.request('/v1/notes/a', { headers: { authorization } })
    expect([authorization, refused.status, refused.headers.get('www-authenticate')]).toEqual([authorization, 401, 'Bearer'])
  }
  expect(here.seen).toEqual([])
  await app.request('/v1/notes/a', { headers: { authorization: 'bearer tf_test' } })
  expect(here.seen[0]?.caller.keyHash).toEqual(createHash('sha256').update('tf_test').digest())
  expect(here.seen[0]?.caller.scope).toBe('memories:read')
  expect(JSON.stringify(here.seen)).not.toContain('tf_test')
})

test('a public route asks for no key and answers text as it is', async () => {
  const { app } = desk()
  const answer = await app.request('/docs')
  expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([200, 'text/html; charset=utf-8', '<p>0</p>'])
})

test("the operator's routes take the operator's key and no other, and none at all when there is no operator", async () => {
  const { app } = desk({ operatorKeyHash: createHash('sha256').update('root').digest() })
  const ask = async (where: typeof app, key: string) =>
    (await where.request('/v1/tenants', { headers: { authorization: `Bearer ${key}` } })).status
  expect(await ask(app, 'root')).toBe(200)
  expect(await ask(app, 'tf_test')).toBe(403)
  expect(await ask(desk().app, 'root')).toBe(403)
})

test('an unknown route is not_found, a known one by another method names the methods it takes', async () => {
  const { app, observed } = desk()
  const nowhere = await app.request('/v1/nowhere')
  expect([nowhere.status, await nowhere.json()]).toMatchObject([404, { code: 'not_found', title: 'Not found', status: 404 }])
  expect(nowhere.headers.get('content-type')).toBe('application/problem+json')
  for (const [method, path, allow] of [
    ['PUT', '/v1/notes/search', 'POST'],
    ['GET', '/v1/notes/search', 'POST'],
    ['PUT', '/v1/notes/a', 'GET, HEAD, PATCH, DELETE'],
    ['OPTIONS', '/v1/notes', 'GET, HEAD, POST'],
  ]) {
    const refused = await app.request(path as string, { method: method as string })
    expect([path, refused.status, refused.headers.get('allow')]).toEqual([path, 405, allow])
  }
  expect(observed.every(({ operation }) => operation === null)).toBe(true)
})

test('the headers of a write reach the handler, and a bad one is named', async () => {
  const { app, here } = desk()
  const headers = { 'idempotency-key': 'again', 'x-on-behalf-of': 'alice@example.org' }
  const replay = await app.request('/v1/notes', post({ content: 'x' }, headers))
  expect(replay.headers.get('idempotency-replayed')).toBe('true')
  expect(here.seen[0]?.caller).toMatchObject({ idempotency: { key: 'again' }, onBehalfOf: 'alice@example.org', ifMatch: null })
  await app.request('/v1/notes/search', post({}, headers))
  expect(here.seen[1]?.caller.idempotency).toBe(null)
  const bad = { 'idempotency-key': 'two words', 'x-on-behalf-of': 'x'.repeat(256), 'if-match': '"1"' }
  const refused = await app.request('/v1/notes', post({ content: 'x' }, bad))
  const { errors } = (await refused.json()) as { errors: { path: string }[] }
  expect(errors.map((each) => each.path)).toEqual(['headers.Idempotency-Key', 'headers.X-On-Behalf-Of', 'headers.If-Match'])
  expect(here.seen.length).toBe(2)
})

test('If-Match is one strong version or *', async () => {
  const { app, here } = desk()
  const patch = (value: string) => app.request('/v1/notes/a', { ...post({ content: 'x' }, { 'if-match': value }), method: 'PATCH' })
  for (const value of ['W/"3"', '"1", "2"', '3', '""', '"x"', '"0"', '"-1"', '"99999999999"', '"4294967296"']) {
    expect([value, (await patch(value)).status]).toEqual([value, 400])
  }
  expect(here.seen).toEqual([])
  expect([(await patch('"3"')).status, (await patch('*')).status]).toEqual([200, 200])
  expect(here.seen.map(({ caller }) => caller.ifMatch)).toEqual([3, null])
})

test('a request hash is the same for the same request however it is spelled, and another for another', async () => {
  const { app, here } = desk()
  const bodies = ['{"content":"x","metadata":{"a":1,"b":2}}', '{ "metadata": {"b":2.0,"a":1}, "content": "\\u0078" }', '{"content":"y"}']
  for (const body of bodies) await app.request('/v1/notes', { ...post({}), body })
  await app.request('/v1/notes/search', post({}))
  await app.request('/v1/notes/a', { ...post({ content: 'x' }), method: 'PATCH' })
  await app.request('/v1/notes/b', { ...post({ content: 'x' }), method: 'PATCH' })
  const [first, second, ...others] = here.seen.map(({ caller }) => caller.requestHash.toString('hex'))
  expect(first).toBe(second)
  expect(new Set([first, ...others]).size).toBe(others.length + 1)
  expect(first).toMatch(/^[\da-f]{64}$/)
})

test('what nobody expected is told to the log and not to the caller', async () => {
  const { app, here, logged } = desk()
  here.fail = new Error('relation "memories" does not exist at 10.0.0.1', { cause: { sql: 'select' } })
  const refused = await app.request('/v1/notes/a', { headers: { ...KEY, 'x-request-id': 'trace-me-1' } })
  const text = await refused.text()
  expect([refused.status, JSON.parse(text).code]).toEqual([500, 'internal'])
  expect(text).not.toMatch(/memories|10\.0|select|\.ts|at /)
  expect(logged).toEqual([{ event: 'request failed', requestId: 'trace-me-1', operation: 'notes.get', code: 'internal', error: here.fail }])
})

test('an answer that its own schema refuses is internal, and the log names the path', async () => {
  const { app, logged } = desk()
  const refused = await app.request('/v1/health/ready', { headers: KEY })
  expect(refused.status).toBe(500)
  expect(logged[0]?.error).toMatchObject({ issues: [{ path: ['ready'] }] })
})

test('a refusal says what its handler said; a store that is down says when to come back', async () => {
  const { app, here, logged } = desk()
  here.fail = new Refusal('version_mismatch', 'It is at version 4.', { currentVersion: 4, status: 200 })
  const stale = await app.request('/v1/notes/a', { headers: KEY })
  expect(await stale.json()).toMatchObject({ status: 412, code: 'version_mismatch', detail: 'It is at version 4.', currentVersion: 4 })
  here.fail = new RangeError('down')
  const down = await app.request('/v1/notes/a', { headers: KEY })
  expect([down.status, down.headers.get('retry-after')]).toEqual([503, '3'])
  expect(await down.json()).toMatchObject({ code: 'unavailable', retryAfterMs: 2500 })
  expect(logged.map(({ code }) => code)).toEqual(['unavailable'])
})

test('past its deadline a request is answered timeout and its signal aborts', async () => {
  const { app, here, observed } = desk()
  here.wait = new Promise(() => {})
  const late = await app.request('/v1/health/ready', { headers: KEY })
  expect([late.status, await late.json()]).toMatchObject([504, { code: 'timeout' }])
  expect(here.seen[0]?.caller.signal.aborted).toBe(true)
  expect(observed[0]?.code).toBe('timeout')
})

test('a caller who hangs up aborts the signal and is observed as gone, not logged as a failure', async () => {
  const { app, here, observed, logged } = desk()
  here.wait = new Promise(() => {})
  const controller = new AbortController()
  const answer = app.request('/v1/notes/a', { headers: KEY, signal: controller.signal })
  await expect.poll(() => here.seen.length).toBe(1)
  controller.abort()
  await answer
  expect(here.seen[0]?.caller.signal.aborted).toBe(true)
  expect([observed[0]?.code, observed[0]?.status, logged]).toEqual(['gone_away', 499, []])
})

test('deps are made once, at the first request, and again only after a failure', async () => {
  let made = 0
  const deps = once(() => {
    made += 1
    if (made === 1) throw new RangeError('not yet')
    return made
  })
  const { around } = desk()
  const echo = operation({
    name: 'x.y',
    method: 'get',
    path: '/x',
    scope: null,
    public: true,
    summary: '',
    input: z.strictObject({}),
    output: z.number(),
    handle: (n: number) => n,
  })
  const app = serve([echo], { ...around, deps })
  expect(made).toBe(0)
  expect((await app.request('/x')).status).toBe(503)
  expect(await Promise.all([1, 2, 3].map(async () => (await app.request('/x')).json()))).toEqual([2, 2, 2])
})

test('declarations that do not hold together are found at start', () => {
  const { around } = desk()
  const [get] = notes
  const broken = (more: object) => () => serve([{ ...get, ...more } as never], around)
  expect(broken({ input: z.object({ id: z.string() }) })).toThrow('Operation notes.get: the input must be a strict object')
  expect(broken({ path: '/v1/notes/{name}' })).toThrow('name is not in the input')
  expect(() => serve([get, get] as never[], around)).toThrow('Two operations are called notes.get')
  expect(() => serve([get, { ...get, name: 'other' }] as never[], around)).toThrow('Two operations are called get /v1/notes/{id}')
})
