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
})

/** Nothing of it is stored anywhere, and the answer holds nothing of the inside. */
async function refused(body: unknown, headers: Record<string, string> = {}) {
  const answer = await tenant.post('/v1/memories', body, { headers })
  const rows = await here.owner(
    `select (select count(*) from twofold.memories where tenant_id = t.id) + (select count(*) from twofold.entities where tenant_id = t.id)
      + (select count(*) from twofold.audit_log where tenant_id = t.id) + (select count(*) from twofold.idempotency_keys where tenant_id = t.id) as n
     from twofold.tenants t where uuid = $1`,
    [tenant.id],
  )
  expect(rows).toEqual([{ n: '0' }])
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(answer.json).toMatchObject({
    status: answer.status,
    type: `urn:twofold:problem:${answer.json.code}`,
    requestId: answer.headers.get('x-request-id'),
  })
  expect(answer.text).not.toMatch(/at .*\.ts|node_modules|select |insert |SQLSTATE|twofold\.|127\.0\.0\.1|localhost/)
  return { status: answer.status, paths: [...new Set((answer.json.errors ?? []).map((e: { path: string }) => e.path))] }
}

const embedding = (...first: unknown[]) => [...first, ...Array(64 - first.length).fill(0)]
const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) })

describe('a field', () => {
  test.each<[string, unknown, string]>([
    ['content', 7, 'content'],
    ['content', null, 'content'],
    ['content', ['x'], 'content'],
    ['content', '', 'content'],
    ['content', 'a\0b', 'content'],
    ['content', 'x'.repeat(100_001), 'content'],
    ['namespace', 'user:', 'namespace'],
    ['namespace', 'user::x', 'namespace'],
    ['namespace', 'user:x:', 'namespace'],
    ['namespace', 'planet:mars', 'namespace'],
    ['namespace', 'User:alice', 'namespace'],
    ['namespace', 'user', 'namespace'],
    ['namespace', ' user:alice', 'namespace'],
    ['namespace', 'user:a/b', 'namespace'],
    ['namespace', 'user:a\nb', 'namespace'],
    ['namespace', 'user:a\u0001', 'namespace'],
    ['namespace', `user:${'x'.repeat(256)}`, 'namespace'],
    ['namespace', `user${':abcdefghi'.repeat(100)}`, 'namespace'],
    ['namespace', '', 'namespace'],
    ['namespace', 5, 'namespace'],
    ['namespace', undefined, 'namespace'],
    ['userId', 'alice', 'userId'],
    ['id', 'one', 'id'],
    ['id', '00000000-0000-0000-0000-00000000000g', 'id'],
    ['key', '', 'key'],
    ['key', 'a/b', 'key'],
    ['key', 'a\tb', 'key'],
    ['key', 'x'.repeat(256), 'key'],
    ['type', 'fact', 'type'],
    ['kind', 'Decision', 'kind'],
    ['kind', 'x'.repeat(41), 'kind'],
    ['importance', -0.1, 'importance'],
    ['importance', 10.1, 'importance'],
    ['importance', '5', 'importance'],
    ['summary', '', 'summary'],
    ['metadata', [], 'metadata'],
    ['metadata', 'x', 'metadata'],
    ['metadata', { a: { b: 'x\0' } }, 'metadata.a.b'],
    ['metadata', { ['x'.repeat(256)]: 1 }, 'metadata'],
    ['metadata', { 'a\0': 1 }, 'metadata["a\\u0000"]'],
    ['metadata', { constructor: { prototype: { admin: true } } }, 'metadata.constructor'],
    ['metadata', deep(64), 'metadata'],
    ['value', deep(70), 'value'],
    ['tags', 'red', 'tags'],
    ['tags', ['red', 7], 'tags[1]'],
    ['tags', [''], 'tags[0]'],
    ['tags', ['x'.repeat(101)], 'tags[0]'],
    ['tags', Array(101).fill('x'), 'tags'],
    ['entities', [{ type: 'person' }], 'entities[0].value'],
    ['entities', [{ value: ' ' }], 'entities[0].value'],
    ['entities', [{ value: 'x', type: 'Person' }], 'entities[0].type'],
    ['entities', [{ value: 'x', confidence: 2 }], 'entities[0].confidence'],
    ['entities', [{ value: 'x', color: 'red' }], 'entities[0].color'],
    ['entities', Array(201).fill({ value: 'x' }), 'entities'],
    ['relations', [{ from: 'a', to: 'b' }], 'relations[0].type'],
    ['relations', [{ from: { value: 'a' }, type: 'x', to: 'b' }], 'relations[0].from.type'],
    ['extractEntities', 'yes', 'extractEntities'],
    ['embedding', [1, 2, 3], 'embedding'],
    ['embedding', [...embedding(1), 1], 'embedding'],
    ['embedding', embedding(0), 'embedding'],
    ['embedding', embedding('1'), 'embedding[0]'],
    ['embedding', embedding(1, null), 'embedding[1]'],
    ['embedding', [], 'embedding'],
    ['embedding', 'AAAA', 'embedding'],
    ['conversationId', 'a/b', 'conversationId'],
    ['sessionId', '', 'sessionId'],
    ['taskId', 'x\u007f', 'taskId'],
    ['speaker', 'x'.repeat(256), 'speaker'],
    ['occurredAt', 'yesterday', 'occurredAt'],
    ['occurredAt', '2026-01-01', 'occurredAt'],
    ['occurredAt', '2026-01-01T00:00:00', 'occurredAt'],
    ['occurredAt', '2026-02-30T00:00:00Z', 'occurredAt'],
    ['occurredAt', '2026-01-01T24:00:01Z', 'occurredAt'],
    ['occurredAt', '0000-01-01T00:00:00Z', 'occurredAt'],
    ['occurredAt', '0001-01-01T00:00:00+14:00', 'occurredAt'],
    ['occurredAt', '9999-12-31T23:59:59-14:00', 'occurredAt'],
    ['occurredAt', '300000-01-01T00:00:00Z', 'occurredAt'],
    ['occurredAt', '+300000-01-01T00:00:00Z', 'occurredAt'],
    ['occurredAt', 1767225600, 'occurredAt'],
    ['expiresAt', '2020-01-01T00:00:00Z', 'expiresAt'],
    ['expiresAt', '9999-12-31T23:59:59-14:00', 'expiresAt'],
    ['waitFor', 'cache', 'waitFor'],
    ['onGraphFailure', 'explode', 'onGraphFailure'],
    ['version', 7, 'version'],
    ['createdBy', 'me', 'createdBy'],
    ['tenantId', 1, 'tenantId'],
    ['Content', 'x', 'Content'],
  ])('%s as %j is refused by name', async (field, value, path) => {
    const body = { namespace: 'user:alice', content: 'x', [field]: value }
    const { status, paths } = await refused(body)
    expect(status).toBe(400)
    expect(paths.length).toBe(1)
    expect((paths[0] as string).startsWith(path)).toBe(true)
  })

  test('of several bad ones each is named at once', async () => {
    const { paths } = await refused({ namespace: 'planet:mars', content: '', importance: 11, tags: [1], color: 'red', constructor2: 1 })
    expect(paths.sort()).toEqual(['color', 'constructor2', 'content', 'importance', 'namespace', 'tags[0]'])
  })

  test('that must be there in one form or another is asked for', async () => {
    expect(await refused({ userId: 'alice' })).toEqual({ status: 400, paths: ['content'] })
    expect(await refused({ userId: 'alice', value: null })).toEqual({ status: 400, paths: ['content'] })
    expect(await refused({ content: 'x' })).toEqual({ status: 400, paths: ['namespace'] })
    expect(await refused({ userId: 'a:b', content: 'x' })).toEqual({ status: 400, paths: ['userId'] })
  })
})

describe('a body', () => {
  const text = (content: string) => `{"userId":"alice","content":"x",${content}}`

  test.each<[string, unknown, string[]]>([
    ['that is no JSON', '{"userId": "alice", content: "x"}', ['body']],
    ['that is cut', '{"userId":"alice"', ['body']],
    ['that is empty text', ' ', ['body']],
    ['that is a list', '[]', ['body']],
    ['that is null', 'null', ['body']],
    ['that is a number', '1', ['body']],
    ['with a comment', '{} // x', ['body']],
    ['with a byte order mark', '\ufeff[]', ['body']],
    ['that is no UTF-8', Buffer.from([...Buffer.from('{"userId":"alice","content":"'), 0xc3, 0x28, ...Buffer.from('"}')]), ['body']],
    ['in UTF-16', Buffer.from('{"userId":"alice","content":"x"}', 'utf16le'), ['body']],
    ['with an overlong NUL', Buffer.from([...Buffer.from('{"userId":"alice","content":"'), 0xc0, 0x80, ...Buffer.from('"}')]), ['body']],
    [
      'with a surrogate in UTF-8',
      Buffer.from([...Buffer.from('{"userId":"alice","content":"'), 0xed, 0xa0, 0x80, ...Buffer.from('"}')]),
      ['body'],
    ],
    ['with an escaped lone surrogate', '{"userId":"alice","content":"\\ud800"}', ['content']],
    ['with a lone surrogate in a key', text('"metadata":{"\\udc00":1}'), ['metadata["\\udc00"]']],
    ['with surrogates the wrong way round', text('"metadata":{"a":"\\udc00\\ud800"}'), ['metadata.a']],
    ['with an escaped NUL', text('"tags":["a\\u0000"]'), ['tags[0]']],
    ['with a prototype', text('"__proto__":{"importance":9}'), ['__proto__']],
    ['with a prototype inside', text('"metadata":{"a":{"__proto__":{"b":1}}}'), ['metadata.a.__proto__']],
    ['with a number that overflows', text('"importance":1e999'), ['importance']],
    ['with a vector that overflows', text(`"embedding":[${['1e999', ...Array(63).fill('0')]}]`), ['embedding[0]']],
    ['with a vector of NaN', text(`"embedding":[${['NaN', ...Array(63).fill('0')]}]`), ['body']],
    ['with a vector of Infinity', text(`"embedding":[${['Infinity', ...Array(63).fill('0')]}]`), ['body']],
    ['nested a hundred thousand levels', `${'{"value":'.repeat(100_000)}1${'}'.repeat(100_000)}`, []],
    ['of a hundred thousand lists', text(`"value":${'['.repeat(100_000)}${']'.repeat(100_000)}`), []],
  ])('%s is refused', async (_, body, paths) => {
    const { status, paths: named } = await refused(body)
    expect(status).toBe(400)
    if (paths.length > 0) expect(named).toEqual(paths)
  })

  test('of one byte more than 1 MiB is too large, one of exactly that is read', async () => {
    const sized = (bytes: number) => {
      const shell = JSON.stringify({ userId: 'alice', content: 'x', color: '' })
      return JSON.stringify({ userId: 'alice', content: 'x', color: 'a'.repeat(bytes - shell.length) })
    }
    expect((await refused(sized(1024 * 1024 + 1))).status).toBe(413)
    expect(await refused(sized(1024 * 1024))).toEqual({ status: 400, paths: ['color'] })
  })

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=latin1', ''])(
    'of type "%s" is not taken',
    async (type) => {
      expect((await refused('{"userId":"alice","content":"x"}', { 'content-type': type })).status).toBe(415)
    },
  )

  test('with a content encoding is not taken', async () => {
    expect((await refused('{"userId":"alice","content":"x"}', { 'content-encoding': 'gzip' })).status).toBe(415)
  })

  test('that is missing is told what it needs', async () => {
    const { status, json } = await tenant.call('POST', '/v1/memories', undefined)
    expect([status, json.errors.map((e: { path: string }) => e.path)]).toEqual([400, ['namespace', 'content']])
  })

  test('that names a field twice counts as its last, as JSON says', async () => {
    const { json } = await tenant.post('/v1/memories', '{"userId":"alice","content":"first","content":"last"}')
    expect(json.memory.content).toBe('last')
  })
})

describe('a route', () => {
  test('with another method says which it takes', async () => {
    for (const [method, path, allow] of [
      ['PUT', '/v1/memories', 'GET, HEAD, POST'],
      ['GET', '/v1/memories/search', 'POST'],
      ['POST', '/v1/memories/00000000-0000-4000-8000-000000000000', 'GET, HEAD, PATCH, DELETE'],
      ['DELETE', '/v1/keys', 'GET, HEAD, POST'],
    ] as const) {
      const { status, headers } = await tenant.call(method, path, undefined)
      expect([status, headers.get('allow')?.split(', ').sort()]).toEqual([405, allow.split(', ').sort()])
    }
  })

  test('that is not there is not found, whoever asks', async () => {
    expect((await tenant.get('/v1/nothing')).json.code).toBe('not_found')
    expect((await tenant.get('/v1/memories/')).status).toBe(404)
    expect((await tenant.get('/v1/nothing', { key: null })).status).toBe(404)
  })
})

test('hostile words are words: they are stored as they came, whatever field they come in', async () => {
  const hostile = `'; reset role; drop table twofold.memories; -- $1 {{x}} \\' "; select pg_sleep(9)`
  const memory = await tenant.add({
    ...{
      content: hostile,
      key: hostile.replaceAll('/', ''),
      summary: hostile,
      speaker: hostile,
      tags: [hostile],
      metadata: { [hostile]: hostile },
    },
    ...{ value: hostile, conversationId: hostile, sessionId: hostile, taskId: hostile, entities: [{ type: 'other', value: hostile }] },
    relations: [{ from: hostile, type: hostile, to: 'x' }],
  })
  expect(memory).toMatchObject({
    content: hostile,
    summary: hostile,
    speaker: hostile,
    tags: [hostile],
    metadata: { [hostile]: hostile },
    value: hostile,
  })
  expect(await tenant.found({ query: hostile, tags: [hostile], filter: { [hostile.replaceAll('.', '')]: { exists: false } } })).toEqual([
    memory.id,
  ])
  expect((await tenant.get(`/v1/memories?tag=${encodeURIComponent(hostile)}`)).json.items).toEqual([memory])
  expect((await tenant.get(`/v1/graph/entities?q=${encodeURIComponent(hostile)}`)).status).toBe(200)
  expect((await tenant.post('/v1/graph/query', { start: { value: hostile }, via: [hostile] })).status).toBe(200)
})
