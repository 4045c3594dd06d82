import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { all } from '../client.ts'
import { DIMENSIONS, type Hosted, hosted, type Tenant } from '../hosted.ts'
import { vectorOf } from '../random.ts'
import { counts } from './snapshot.ts'

let it: Hosted
let asks: Tenant
beforeAll(async () => {
  it = await hosted({}, { LANGUAGE_MODEL: 'openai:test-language' })
  asks = await it.tenant()
  await asks.post('/v1/memories', { userId: 'first', content: 'Anna knows Bert' })
})
afterAll(() => it.close())

/** While `work` runs no row can be added to this table, which is the middle of a write. */
async function withFull<T>(table: string, work: () => Promise<T>): Promise<T> {
  await it.owner(`alter table twofold.${table} add constraint full_up check (false) not valid`)
  try {
    return await work()
  } finally {
    await it.owner(`alter table twofold.${table} drop constraint full_up`)
  }
}

describe('a write that the database refuses in its middle', () => {
  const touched = [
    'memories',
    'memory_versions',
    'embeddings',
    'postings',
    'entities',
    'entity_terms',
    'memory_entities',
    'relations',
    'ledger',
    'audit_log',
    'idempotency_keys',
  ]

  test.each(touched)(
    'at %s is an error without an id, leaves nothing anywhere, and the same request succeeds afterwards',
    async (table) => {
      const body = { userId: table, content: `Clara knows Dora at ${table}` }
      const headers = { 'idempotency-key': `middle-${table}` }
      const before = await counts(it.owner)
      const refused = await withFull(table, () => asks.post('/v1/memories', body, { headers }))
      expect([refused.status, refused.json.code, refused.json.memory]).toEqual([500, 'internal', undefined])
      expect(refused.text).not.toMatch(/full_up|check|twofold\./)
      expect(await counts(it.owner)).toEqual(before)
      expect(await all(asks, `/v1/memories?userId=${table}&includeDeleted=true`)).toEqual([])
      const stored = await asks.post('/v1/memories', body, { headers })
      expect([stored.status, stored.headers.get('idempotency-replayed')]).toEqual([201, null])
      expect((await all(asks, `/v1/memories?userId=${table}`)).map(({ id }) => id)).toEqual([stored.json.memory.id])
    },
  )

  test.each([true, false])('at the vectors of a batch (atomic: %s) stores nothing of it and calls no item done', async (atomic) => {
    const items = [1, 2, 3].map((n) => ({ userId: 'batch', content: `item ${n}` }))
    const before = await counts(it.owner)
    const answer = await withFull('embeddings', () => asks.post('/v1/memories/batch', { items, atomic }))
    expect([answer.status, answer.json.items]).toEqual([500, undefined])
    expect(await counts(it.owner)).toEqual(before)
  })

  test('at the second part of a batch says so of each of its items, and calls the first part what it is: stored', async () => {
    const items = Array.from({ length: 120 }, (_, i) => ({ userId: 'parts', content: `item ${i}`, extractEntities: false }))
    await it.owner("alter table twofold.memories add constraint full_up check (content <> 'item 77') not valid")
    const { status, json, text } = await asks.post('/v1/memories/batch', { items })
    await it.owner('alter table twofold.memories drop constraint full_up')
    expect([status, text.includes('full_up')]).toEqual([200, false])
    expect(json.items.map((item: any) => item.error?.code ?? 'ok')).toEqual([
      ...Array(50).fill('ok'),
      ...Array(50).fill('internal'),
      ...Array(20).fill('unavailable'),
    ])
    const kept = await all(asks, '/v1/memories?userId=parts')
    expect(kept.map(({ content }) => content).sort()).toEqual(
      items
        .slice(0, 50)
        .map(({ content }) => content)
        .sort(),
    )
  })

  test('at the vector of a change leaves the version that was there, with its own vector', async () => {
    const { memory } = (await asks.post('/v1/memories', { userId: 'changed', content: 'likes green tea' })).json
    await it.owner('alter table twofold.past_embeddings add constraint full_up check (false) not valid')
    const before = await counts(it.owner)
    const answer = await asks.patch(`/v1/memories/${memory.id}`, { content: 'prefers black coffee' })
    await it.owner('alter table twofold.past_embeddings drop constraint full_up')
    expect(answer.status).toBe(500)
    expect(await counts(it.owner)).toEqual(before)
    expect((await asks.get(`/v1/memories/${memory.id}`)).json.memory).toEqual(memory)
    const { results } = (await asks.post('/v1/memories/search', { userId: 'changed', query: 'likes green tea', mode: 'vector' })).json
    expect(results.map((r: any) => [r.memory.content, r.parts.vector.toFixed(4)])).toEqual([['likes green tea', '1.0000']])
  })
})

describe('an embedding', () => {
  const failures = [
    'server-error',
    'cut',
    'malformed',
    'wrong-dimensions',
    'null-in-vector',
    'zero-vector',
    'wrong-count',
    'unauthorized',
  ] as const

  test.each(failures)('that the model fails to make (%s) is owed by what is stored, never passed off as there', async (mode) => {
    it.provider.fail(mode)
    const { status, json } = await asks.post('/v1/memories', { userId: mode, content: `while ${mode} reigns`, extractEntities: false })
    it.provider.fail(null)
    expect(status).toBe(201)
    expect(json.receipt).toMatchObject({ vectorWriteSuccess: false, stores: { vector: { state: 'owed' } } })
    expect(json.receipt.owed).toContain('embedding')
    expect((await asks.get(`/v1/memories/${json.memory.id}`)).json.memory).toEqual(json.memory)
    const rows = await it.owner('select count(*) as n from twofold.embeddings where memory_id = $1', [json.memory.id])
    expect(rows).toEqual([{ n: '0' }])
  })

  test.each([1, DIMENSIONS - 1, DIMENSIONS + 1, 384, 8192])(
    'of the wrong size (%i) is refused by name, and nothing is stored',
    async (size) => {
      const before = await counts(it.owner)
      const { memory } = (
        await asks.post('/v1/memories', { userId: `size${size}`, content: 'right', embedding: vectorOf('right', DIMENSIONS) })
      ).json
      const between = await counts(it.owner)
      const body = { userId: 'size', content: 'wrong', embedding: vectorOf('wrong', size) }
      for (const refused of [
        await asks.post('/v1/memories', body),
        await asks.patch(`/v1/memories/${memory.id}`, { content: 'wrong', embedding: body.embedding }),
        await asks.post('/v1/memories/search', { userId: 'size', embedding: body.embedding }),
      ]) {
        expect([refused.status, refused.json.errors?.[0]?.path]).toEqual([400, 'embedding'])
        expect(refused.json.detail).toContain(`must have ${DIMENSIONS} numbers`)
      }
      const batch = await asks.post('/v1/memories/batch', { items: [body] })
      expect([batch.status, batch.json.errors ?? batch.json.items]).toMatchObject([200, [{ ok: false, error: { code: 'invalid' } }]])
      expect(await counts(it.owner)).toEqual(between)
      expect(between['twofold.embeddings']).toBe((before['twofold.embeddings'] as number) + 1)
    },
  )
})

describe('namespaces', () => {
  const write = (namespace: string) => asks.post('/v1/memories', { namespace, content: `belongs to ${namespace}` })
  const listed = async (query: string) => (await all(asks, `/v1/memories?${query}`)).map(({ namespace }) => namespace).sort()
  const found = async (place: object, query = 'belongs to') =>
    (await asks.post('/v1/memories/search', { ...place, query, limit: 50 })).json.results.map((r: any) => r.memory.namespace).sort()

  test('are matched by whole segments: acme never shows what belongs to acme-corp, nor to anything else that begins alike', async () => {
    const mine = ['project:acme', 'project:acme:notes']
    const others = ['project:acme-corp', 'project:acmE', 'project:acme2', 'project:acme-corp:notes', 'project:acme.notes', 'project:acm']
    for (const namespace of [...mine, ...others]) expect((await write(namespace)).status).toBe(201)
    expect(await listed('namespacePrefix=project:acme')).toEqual(mine)
    expect(await listed('namespace=project:acme')).toEqual(['project:acme'])
    expect(await found({ namespacePrefix: 'project:acme' })).toEqual(mine)
    for (const mode of ['vector', 'text', 'hybrid']) expect(await found({ namespacePrefix: 'project:acme', mode })).toEqual(mine)
  })

  test('are one string with one way to read it: what joins to the same letters elsewhere is refused or the same place', async () => {
    expect((await write('user:t:u')).status).toBe(201)
    for (const namespace of ['user::t:u', 'user:t::u', 'user:t:u:', ':user:t:u', 'user:t\u0001u', 'user', 'user:', 't:u', 'user:t/u', '']) {
      const { status, json } = await write(namespace)
      expect([namespace, status, json.code]).toEqual([namespace, 400, 'invalid'])
    }
    // A user is one segment, so that no user's name reaches into another's namespace.
    for (const userId of ['t:u', 'u/t', '']) {
      const { status, json } = await asks.post('/v1/memories', { userId, content: 'elsewhere' })
      expect([userId, status, json.code]).toEqual([userId, 400, 'invalid'])
    }
    expect(await listed('namespace=user:t')).toEqual([])
    expect(await listed('userId=t')).toEqual(['user:t:u'])
    expect(await listed('namespacePrefix=user:t:u')).toEqual(['user:t:u'])
  })
})
