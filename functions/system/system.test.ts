import { fieldsOf } from '@twofold/operation/fields.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Tenant, type World, world } from '../fixture.ts'
import { operations } from '../operations.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
  tenant = await here.tenant()
})
afterAll(() => here.close())

test('live answers anybody', async () => {
  const { status, json } = await tenant.get('/v1/health/live', { key: null })
  expect([status, json]).toEqual([200, { status: 'live' }])
})

test('ready answers any valid key, and is not ready without its database', async () => {
  expect((await tenant.get('/v1/health/ready', { key: await tenant.keyFor(['memories:read'], ['user:x']) })).json).toEqual({
    status: 'ready',
  })
  expect((await tenant.get('/v1/health/ready', { key: null })).status).toBe(401)
  expect((await tenant.get('/v1/health/ready', { key: 'tf_unknown' })).status).toBe(401)
})

test('metrics count what was asked and how it ended, and name no tenant, key or content', async () => {
  await tenant.add({ content: 'top secret' })
  await tenant.get('/v1/memories/nonsense')
  const { status, text, headers } = await tenant.get('/metrics')
  expect([status, headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
  expect(text).toMatch(/operation="memories.add"/)
  expect(text).toMatch(/operation="memories.get"[^\n]*(400|invalid)/)
  for (const secret of [tenant.id, tenant.key, 'top secret', 'alice']) expect(text).not.toContain(secret)
  expect((await tenant.get('/metrics', { key: null })).status).toBe(401)
  expect((await tenant.get('/metrics', { key: 'tf_unknown' })).status).toBe(401)
})

test('the OpenAPI document names every operation, for anybody', async () => {
  const { status, json } = await tenant.get('/openapi.json', { key: null })
  expect([status, json.openapi.slice(0, 3)]).toEqual([200, '3.1'])
  const named = Object.entries<any>(json.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`))
  for (const { method, path } of operations) expect(named).toContain(`${method} ${path}`)
})

test('the page of the documentation is HTML, for anybody, and loads nothing from elsewhere', async () => {
  const { status, text, headers } = await tenant.get('/docs', { key: null })
  expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect(text).not.toMatch(/https?:\/\//)
})

test.each(['/v1/health/live', '/v1/health/ready', '/metrics', '/openapi.json', '/docs'])('%s takes no parameters', async (path) => {
  const { status, json } = await tenant.get(`${path}?verbose=1`)
  expect([status, json.errors[0].path]).toEqual([400, 'verbose'])
})

test('every read of what a tenant has is told how old its answer may be', () => {
  const reads = operations.filter(
    ({ method, scope, write }) => scope !== null && scope !== 'operator' && (method === 'get' || (!write && scope.endsWith(':read'))),
  )
  expect(reads.length).toBeGreaterThan(30)
  // A batch of searches is told by each of them.
  expect(reads.filter((read) => !fieldsOf(read).has('maxStalenessMs')).map(({ name }) => name)).toEqual(['memories.search_batch'])
})

test('every answer says its request id and its times', async () => {
  const { headers } = await tenant.get('/v1/memories', { headers: { 'x-request-id': 'my-request-1' } })
  expect(headers.get('x-request-id')).toBe('my-request-1')
  expect(headers.get('server-timing')).toMatch(/db;dur=[\d.]+, total;dur=[\d.]+/)
  expect((await tenant.get('/v1/memories', { headers: { 'x-request-id': 'short' } })).headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/)
})

test('a database that is away is 503 with when to come back, and tells nothing of itself', async () => {
  const away = await world({ RETRY_ATTEMPTS: '1', DATABASE_HTTP_URL: 'http://127.0.0.1:9/sql' })
  try {
    for (const path of ['/v1/health/ready', '/v1/memories', '/metrics']) {
      const { status, json, headers, text } = await away.request('GET', path, undefined, { key: tenant.key })
      expect([status, json.code, Number(headers.get('retry-after')) > 0]).toEqual([503, 'unavailable', true])
      expect(text).not.toMatch(/127\.0\.0\.1|ECONNREFUSED|fetch/)
    }
    expect((await away.request('GET', '/v1/health/live')).status).toBe(200)
  } finally {
    await away.close()
  }
})
