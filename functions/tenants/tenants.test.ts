import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type World, world } from '../fixture.ts'

const OPERATOR = 'operator-key-of-the-test'
let here: World
beforeAll(async () => {
  here = await world({ TWOFOLD_OPERATOR_KEY: OPERATOR })
})
afterAll(() => here.close())

const ask = (method: string, path: string, body?: unknown, key: string | null = OPERATOR) => here.request(method, path, body, { key })
const make = (name: string = randomUUID()) => ask('POST', '/v1/tenants', { name })

describe('making a tenant', () => {
  test("answers its first admin key, which works and sees nothing of anybody else's", async () => {
    const before = await here.tenant()
    await before.add({ content: 'theirs' })
    const { status, json } = await make('acme')
    expect([status, json.tenant]).toEqual([
      201,
      { id: expect.any(String), name: 'acme', placement: 'home', createdAt: expect.any(String), suspendedAt: null },
    ])
    expect((await ask('POST', '/v1/memories', { userId: 'alice', content: 'first' }, json.secret)).status).toBe(201)
    const { items } = (await ask('GET', '/v1/memories', undefined, json.secret)).json
    expect(items.map((m: { content: string }) => m.content)).toEqual(['first'])
    expect((await ask('GET', '/v1/keys', undefined, json.secret)).json.items.map((k: any) => [k.scopes, k.namespaces])).toEqual([
      [['admin'], ['*']],
    ])
  })

  test('of a name that is there is a conflict, for seven of eight at once', async () => {
    const name = randomUUID()
    const all = await Promise.all(Array.from({ length: 8 }, () => make(name)))
    expect(all.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(409)])
  })

  test.each([
    [{}, 'name'],
    [{ name: '' }, 'name'],
    [{ name: 'x'.repeat(256) }, 'name'],
    [{ name: 'a\0' }, 'name'],
    [{ name: 'x', id: randomUUID() }, 'id'],
  ])('with %j is refused by name', async (body, path) => {
    const { status, json } = await ask('POST', '/v1/tenants', body)
    expect([status, json.errors[0].path]).toEqual([400, path])
  })
})

test('the list shows every tenant once, in pages', async () => {
  const made = [await make(), await make(), await make()].map(({ json }) => json.tenant)
  const seen: unknown[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const { json } = await ask('GET', `/v1/tenants?limit=2${cursor && `&cursor=${cursor}`}`)
    seen.push(...json.items)
    cursor = json.nextCursor
  }
  for (const tenant of made) expect(seen.filter((each: any) => each.id === tenant.id)).toEqual([tenant])
  expect(new Set(seen.map((each: any) => each.id)).size).toBe(seen.length)
  expect((await ask('GET', '/v1/tenants?cursor=x')).json.errors[0].path).toBe('cursor')
})

describe('suspending', () => {
  test('refuses every key of the tenant from the next request on, and letting it go on brings all back', async () => {
    const { tenant, secret } = (await make()).json
    const { json } = await ask('POST', '/v1/memories', { userId: 'alice', content: 'kept' }, secret)
    const suspended = await ask('PATCH', `/v1/tenants/${tenant.id}`, { suspended: true })
    expect([suspended.status, typeof suspended.json.tenant.suspendedAt]).toEqual([200, 'string'])
    for (const [method, path, body] of [
      ['GET', `/v1/memories/${json.memory.id}`],
      ['POST', '/v1/memories', { userId: 'alice', content: 'x' }],
      ['POST', '/v1/memories/search', { query: 'kept' }],
      ['GET', '/v1/health/ready'],
      ['GET', '/metrics'],
    ] as const) {
      const { status, json } = await ask(method, path, body, secret)
      expect([status, json.code, json.detail]).toEqual([403, 'forbidden', 'The tenant of this key is suspended.'])
    }
    expect((await ask('PATCH', `/v1/tenants/${tenant.id}`, { suspended: false })).json.tenant).toEqual(tenant)
    expect((await ask('GET', `/v1/memories/${json.memory.id}`, undefined, secret)).json.memory).toEqual(json.memory)
  })

  test('again keeps the first time; of an unknown one is not found', async () => {
    const { tenant } = (await make()).json
    const first = await ask('PATCH', `/v1/tenants/${tenant.id}`, { suspended: true })
    here.pass(1000)
    expect((await ask('PATCH', `/v1/tenants/${tenant.id}`, { suspended: true })).json).toEqual(first.json)
    expect((await ask('PATCH', `/v1/tenants/${randomUUID()}`, { suspended: true })).status).toBe(404)
    for (const [body, path] of [
      [{}, 'suspended'],
      [{ suspended: 'yes' }, 'suspended'],
      [{ suspended: true, name: 'x' }, 'name'],
    ] as const)
      expect((await ask('PATCH', `/v1/tenants/${tenant.id}`, body)).json.errors[0].path).toBe(path)
  })
})

test("tenants are for the operator's key alone, and that key is for tenants alone", async () => {
  const { key } = await here.tenant()
  const routes = [
    ['POST', '/v1/tenants', { name: 'mine' }],
    ['GET', '/v1/tenants', undefined],
    ['PATCH', `/v1/tenants/${randomUUID()}`, { suspended: true }],
  ] as const
  for (const [method, path, body] of routes) {
    expect((await ask(method, path, body, key)).json.code).toBe('forbidden')
    expect((await ask(method, path, body, null)).json.code).toBe('unauthenticated')
    expect((await ask(method, path, body, `${OPERATOR}x`)).json.code).toBe('forbidden')
  }
  expect((await ask('GET', '/v1/memories')).json.code).toBe('unauthenticated')
  expect((await ask('GET', '/v1/keys')).json.code).toBe('unauthenticated')
})
