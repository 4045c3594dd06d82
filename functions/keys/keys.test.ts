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

const make = (more: object = {}, ask?: Ask) =>
  tenant.post('/v1/keys', { name: 'agent', scopes: ['memories:read'], namespaces: ['*'], ...more }, ask)
const list = async (ask?: Ask) => (await tenant.get('/v1/keys', ask)).json.items
const works = async (secret: string) => (await tenant.get('/v1/memories', { key: secret })).status

describe('making a key', () => {
  test('shows its secret once; the database keeps only its hash', async () => {
    const { status, json, text } = await make({
      name: 'agent 7',
      scopes: ['memories:read', 'sync'],
      namespaces: ['user:alice', 'app'],
      expiresAt: '2999-01-01T01:00:00+01:00',
    })
    expect(status).toBe(201)
    expect(json.key).toEqual({
      id: expect.any(String),
      name: 'agent 7',
      scopes: ['memories:read', 'sync'],
      namespaces: ['user:alice', 'app'],
      createdAt: expect.any(String),
      expiresAt: '2999-01-01T00:00:00.000Z',
      lastUsedAt: null,
      revokedAt: null,
    })
    expect(json.secret).toMatch(/^tf_[\w-]{43}$/)
    expect(await works(json.secret)).toBe(200)
    expect(JSON.stringify(await list())).not.toContain(json.secret)
    const rows = await here.owner('select k::text as row from twofold.api_keys k where id = $1', [json.key.id])
    expect(rows[0]?.row).not.toContain(json.secret)
    expect(text).not.toContain('hash')
  })

  test('with an idempotency key makes one, and does not show the secret again', async () => {
    const headers = { 'idempotency-key': 'make-1' }
    const first = await make({}, { headers })
    const again = await make({}, { headers })
    expect([again.status, again.headers.get('idempotency-replayed'), again.json]).toEqual([201, 'true', { key: first.json.key }])
    expect((await list()).length).toBe(2)
    expect((await make({ name: 'other' }, { headers })).json.code).toBe('idempotency_mismatch')
  })

  test('gives no more than the maker has', async () => {
    const narrow = await tenant.keyFor(['admin'], ['user:alice', 'project'])
    for (const namespaces of [['user:alice'], ['user:alice:work', 'project:x'], ['project']])
      expect((await make({ namespaces }, { key: narrow })).status).toBe(201)
    for (const namespaces of [['*'], ['user'], ['user:alicex'], ['user:al'], ['user:alice', 'user:bob']]) {
      const { status, json } = await make({ namespaces }, { key: narrow })
      expect([status, json.code]).toEqual([403, 'forbidden'])
    }
    expect((await list()).length).toBe(5)
  })

  test.each([
    [{ name: '' }, 'name'],
    [{ name: 'x'.repeat(256) }, 'name'],
    [{ name: 7 }, 'name'],
    [{ scopes: [] }, 'scopes'],
    [{ scopes: ['everything'] }, 'scopes[0]'],
    [{ scopes: ['operator'] }, 'scopes[0]'],
    [{ namespaces: [] }, 'namespaces'],
    [{ namespaces: ['**'] }, 'namespaces[0]'],
    [{ namespaces: ['planet:mars'] }, 'namespaces[0]'],
    [{ namespaces: ['user:'] }, 'namespaces[0]'],
    [{ namespaces: Array(101).fill('user:a') }, 'namespaces'],
    [{ expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
    [{ expiresAt: '0000-01-01T00:00:00Z' }, 'expiresAt'],
    [{ expiresAt: '9999-12-31T23:59:59-14:00' }, 'expiresAt'],
    [{ expiresAt: 'never' }, 'expiresAt'],
    [{ secret: 'tf_mine' }, 'secret'],
    [{ id: randomUUID() }, 'id'],
  ])('with %j is refused by name, and makes none', async (more, path) => {
    const { status, json } = await make(more)
    expect([status, json.errors.map((e: { path: string }) => e.path)]).toEqual([400, [path]])
    expect((await list()).length).toBe(1)
  })

  test('that would live beyond the calendar is told so', async () => {
    expect((await make({ expiresAt: '9999-12-31T23:59:59-14:00' })).json.errors[0].message).toContain('9999')
  })
})

describe('a key', () => {
  test('does what its scopes say and nothing else; admin does everything', async () => {
    const memory = await tenant.add({ content: 'x' })
    const routes = {
      'memories:read': () => ['GET', `/v1/memories/${memory.id}`] as const,
      'memories:write': () => ['PATCH', `/v1/memories/${memory.id}`, { importance: 1 }] as const,
      'graph:read': () => ['GET', '/v1/graph/entities'] as const,
      sync: () => ['GET', '/api/persistence/status'] as const,
      admin: () => ['GET', '/v1/keys'] as const,
    }
    for (const scope of [...Object.keys(routes), 'sessions:read', 'audit:read']) {
      const key = await tenant.keyFor([scope], ['*'])
      for (const [wanted, route] of Object.entries(routes)) {
        const [method, path, body] = route()
        const { status, json } = await tenant.call(method, path, body, { key })
        if (scope === wanted || scope === 'admin') expect([scope, wanted, status]).toEqual([scope, wanted, 200])
        else expect([scope, wanted, status, json.code, json.scope]).toEqual([scope, wanted, 403, 'forbidden', wanted])
      }
      expect((await tenant.get('/v1/health/ready', { key })).status).toBe(200)
    }
  })

  test('dies when it expires', async () => {
    const { json } = await make({ expiresAt: new Date(here.deps.now().getTime() + 60_000).toISOString() })
    expect(await works(json.secret)).toBe(200)
    here.pass(60_001)
    expect(await works(json.secret)).toBe(401)
  })

  test('is noted as used, off the request', async () => {
    const { json } = await make()
    await works(json.secret)
    await expect.poll(async () => (await list()).find((key: any) => key.id === json.key.id).lastUsedAt).toMatch(/Z$/)
  })
})

describe('the list', () => {
  test('shows the keys that are alive, oldest first, in pages', async () => {
    for (const name of ['a', 'b', 'c']) await make({ name })
    const first = (await tenant.get('/v1/keys?limit=3')).json
    const second = (await tenant.get(`/v1/keys?limit=3&cursor=${first.nextCursor}`)).json
    const names = [...first.items, ...second.items].map((key: any) => key.name)
    expect(names.sort()).toEqual(['a', 'b', 'c', 'first admin key'])
    expect([first.items.length, second.nextCursor]).toEqual([3, null])
    expect((await tenant.get('/v1/keys?cursor=x')).json.errors[0].path).toBe('cursor')
  })

  test('shows a narrow admin no key that sees more than his own', async () => {
    const wide = (await make({ namespaces: ['*'] })).json.key
    const beside = (await make({ namespaces: ['user:alice', 'user:bob'] })).json.key
    const inside = (await make({ namespaces: ['user:alice:work'] })).json.key
    const { key, secret } = (await make({ name: 'narrow', scopes: ['admin'], namespaces: ['user:alice'] })).json
    expect((await list({ key: secret })).map((each: any) => each.id).sort()).toEqual([inside.id, key.id].sort())
    for (const { id } of [wide, beside]) {
      expect((await tenant.post(`/v1/keys/${id}/rotate`, {}, { key: secret })).status).toBe(404)
      expect((await tenant.del(`/v1/keys/${id}`, { key: secret })).status).toBe(404)
    }
    expect((await tenant.post(`/v1/keys/${inside.id}/rotate`, {}, { key: secret })).status).toBe(200)
    expect((await tenant.del(`/v1/keys/${inside.id}`, { key: secret })).status).toBe(200)
  })
})

describe('revoking', () => {
  test('kills a key with its next request, in a process that has just used it too', async () => {
    const { json } = await make()
    expect(await works(json.secret)).toBe(200)
    const { status, json: revoked } = await tenant.del(`/v1/keys/${json.key.id}`)
    expect([status, revoked.key.id, typeof revoked.key.revokedAt]).toEqual([200, json.key.id, 'string'])
    expect(await works(json.secret)).toBe(401)
    expect((await list()).map((key: any) => key.id)).not.toContain(json.key.id)
    const again = await tenant.del(`/v1/keys/${json.key.id}`)
    expect(again.json).toEqual(revoked)
  })

  test('a rotated key kills both secrets, and it cannot be rotated back to life', async () => {
    const { json } = await make()
    const next = (await tenant.post(`/v1/keys/${json.key.id}/rotate`, { graceSeconds: 60 })).json.secret
    await tenant.del(`/v1/keys/${json.key.id}`)
    expect([await works(json.secret), await works(next)]).toEqual([401, 401])
    expect((await tenant.post(`/v1/keys/${json.key.id}/rotate`)).status).toBe(404)
  })
})

describe('rotating', () => {
  const rotate = (id: string, body: object = {}, ask?: Ask) => tenant.post(`/v1/keys/${id}/rotate`, body, ask)

  test('gives a new secret under the same id; the old one is dead at once', async () => {
    const { json } = await make()
    const rotated = await rotate(json.key.id)
    expect([rotated.status, rotated.json.key.id, rotated.json.secret === json.secret]).toEqual([200, json.key.id, false])
    expect([await works(json.secret), await works(rotated.json.secret)]).toEqual([401, 200])
  })

  test('with grace lets the old one live exactly so long', async () => {
    const { json } = await make()
    const rotated = await rotate(json.key.id, { graceSeconds: 60 })
    expect([await works(json.secret), await works(rotated.json.secret)]).toEqual([200, 200])
    here.pass(59_000)
    expect(await works(json.secret)).toBe(200)
    here.pass(1_001)
    expect([await works(json.secret), await works(rotated.json.secret)]).toEqual([401, 200])
  })

  test('again during the grace lets only the one before live on', async () => {
    const { json } = await make()
    const second = (await rotate(json.key.id, { graceSeconds: 60 })).json.secret
    const third = (await rotate(json.key.id, { graceSeconds: 60 })).json.secret
    expect([await works(json.secret), await works(second), await works(third)]).toEqual([401, 200, 200])
  })

  test('with an idempotency key rotates once, and shows the secret once', async () => {
    const headers = { 'idempotency-key': 'rotate-1' }
    const { json } = await make()
    const first = await rotate(json.key.id, {}, { headers })
    const again = await rotate(json.key.id, {}, { headers })
    expect([again.headers.get('idempotency-replayed'), again.json.secret]).toEqual(['true', undefined])
    expect(await works(first.json.secret)).toBe(200)
  })

  test.each([
    [{ graceSeconds: -1 }, 'graceSeconds'],
    [{ graceSeconds: 2_592_001 }, 'graceSeconds'],
    [{ graceSeconds: 1.5 }, 'graceSeconds'],
    [{ grace: 1 }, 'grace'],
  ])('with %j is refused by name', async (body, path) => {
    const { json } = await make()
    expect((await rotate(json.key.id, body)).json.errors[0].path).toBe(path)
    expect(await works(json.secret)).toBe(200)
  })
})

test('keys of another tenant, and unknown ones, are not there', async () => {
  const { json } = await make()
  const other = await here.tenant()
  for (const id of [json.key.id, randomUUID()]) {
    expect((await other.del(`/v1/keys/${id}`)).status).toBe(404)
    expect((await other.post(`/v1/keys/${id}/rotate`)).status).toBe(404)
  }
  expect((await other.get('/v1/keys')).json.items.length).toBe(1)
  expect((await tenant.del('/v1/keys/nonsense')).json.errors[0].path).toBe('id')
  expect(await works(json.secret)).toBe(200)
})

test('none of it is for keys without the scope, or for nobody', async () => {
  const { json } = await make()
  for (const key of [json.secret, 'tf_unknown', null]) {
    const status = key === json.secret ? 403 : 401
    expect((await make({}, { key })).status).toBe(status)
    expect((await tenant.get('/v1/keys', { key })).status).toBe(status)
    expect((await tenant.post(`/v1/keys/${json.key.id}/rotate`, {}, { key })).status).toBe(status)
    expect((await tenant.del(`/v1/keys/${json.key.id}`, { key })).status).toBe(status)
  }
  expect((await list()).length).toBe(2)
})
