import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Tenant, type World, world } from '../fixture.ts'

/** Decisions, and patterns, which differ in their fields alone. */

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const given = { userId: 'alice', title: 'Use Postgres', rationale: 'One truth', alternatives: ['MongoDB', 'Files'], extractEntities: false }
const acme = { type: 'organization', value: 'Acme' }
const record = async (more: object = {}) => {
  const { status, json, text } = await tenant.post('/v1/decisions', { ...given, ...more })
  if (status !== 201) throw new Error(text)
  return json
}
const items = async (path = '/v1/decisions') => (await tenant.get(path)).json.items
const edges = async (memoryId: string) =>
  (await tenant.post('/v1/graph/query', { start: { memoryId } })).json.edges.map((edge: { type: string }) => edge.type)

describe('a decision', () => {
  test('is a memory of its kind that carries what was decided, why, and what else was considered', async () => {
    const { memory, receipt } = await record({ about: [acme], importance: 8, waitFor: 'graph' })
    expect(memory).toMatchObject({
      ...{ kind: 'decision', title: 'Use Postgres', rationale: 'One truth', alternatives: ['MongoDB', 'Files'] },
      ...{ content: 'Use Postgres\nOne truth\nAlternatives: MongoDB; Files', importance: 8, version: 1 },
      entities: [{ ...acme, normalized: 'acme', about: true }],
    })
    expect(memory).not.toHaveProperty('owner')
    expect(receipt).toMatchObject({ graphWriteSuccess: true, owed: [] })
    expect((await tenant.get(`/v1/memories/${memory.id}`)).json.memory).toEqual(memory)
    expect(await items()).toEqual([memory])
    expect(await edges(memory.id)).toEqual(['ABOUT', 'MENTIONS'])
  })

  test('is found by its words, and by what they mention', async () => {
    const { memory } = await record({ rationale: 'Anna trusts it', extractEntities: true })
    expect(await tenant.found({ query: 'mongodb', mode: 'text' })).toEqual([memory.id])
    expect(memory.entities.map((e: { value: string }) => e.value)).toContain('Anna')
  })

  test('keeps its fields and what it is about when its text is changed, and its text follows its fields', async () => {
    const { id } = (await record({ about: [acme] })).memory
    const patch = async (body: object) => (await tenant.patch(`/v1/memories/${id}`, { ...body, extractEntities: false })).json.memory
    expect(await patch({ rationale: 'It is fast' })).toMatchObject({
      ...{ rationale: 'It is fast', title: 'Use Postgres', content: 'Use Postgres\nIt is fast\nAlternatives: MongoDB; Files', version: 2 },
    })
    const own = await patch({ content: 'We take Postgres.', waitFor: 'graph' })
    expect(own).toMatchObject({ content: 'We take Postgres.', title: 'Use Postgres', rationale: 'It is fast', entities: [acme] })
    expect(await edges(id)).toEqual(['ABOUT', 'MENTIONS'])
    expect(await patch({ title: 'Take Postgres' })).toMatchObject({ content: 'We take Postgres.', title: 'Take Postgres', version: 4 })
    const { errors } = (await tenant.patch(`/v1/memories/${id}`, { owner: 'Bob', dueAt: null })).json
    expect(errors.map((e: { path: string }) => e.path).sort()).toEqual(['dueAt', 'owner'])
  })

  test('keeps its past, is brought back with its fields, and leaves nothing when it goes for good', async () => {
    const { id } = (await record({ about: [acme] })).memory
    await tenant.patch(`/v1/memories/${id}`, { title: 'Use files', extractEntities: false })
    await tenant.del(`/v1/memories/${id}`)
    expect(await items()).toEqual([])
    const restored = (await tenant.post(`/v1/memories/${id}/restore`, { version: 1 })).json.memory
    expect(restored).toMatchObject({ title: 'Use Postgres', rationale: 'One truth', version: 4, entities: [{ ...acme, about: true }] })
    const history = (await tenant.get(`/v1/memories/${id}/history`)).json.items
    expect(history.map((version: any) => version.memory.title)).toEqual(['Use Postgres', 'Use files', 'Use files', 'Use Postgres'])
    await tenant.del(`/v1/memories/${id}?hard=true`)
    expect(await items()).toEqual([])
    expect((await tenant.get(`/v1/memories/${id}`)).status).toBe(404)
  })

  test('sent again with its idempotency key is the first one again', async () => {
    const headers = { 'idempotency-key': randomUUID() }
    const first = await tenant.post('/v1/decisions', given, { headers })
    const again = await tenant.post('/v1/decisions', given, { headers })
    expect([again.status, again.headers.get('idempotency-replayed'), again.json.memory]).toEqual([201, 'true', first.json.memory])
    expect((await tenant.post('/v1/decisions', { ...given, title: 'Other' }, { headers })).json.code).toBe('idempotency_mismatch')
    expect(await items()).toHaveLength(1)
  })

  test('can be told of in the words of a memory too, and is then listed without fields', async () => {
    await tenant.add({ content: 'We took Postgres.', kind: 'decision' })
    const [item] = await items()
    expect([item.content, 'title' in item]).toEqual(['We took Postgres.', false])
  })
})

test('a pattern is the same with a name, a description and how sure it is', async () => {
  const { json } = await tenant.post('/v1/patterns', { userId: 'alice', name: 'Standup', description: 'Daily at nine', confidence: 0.8 })
  expect(json.memory).toMatchObject({
    ...{
      kind: 'pattern',
      name: 'Standup',
      description: 'Daily at nine',
      confidence: 0.8,
      occurrences: 1,
      content: 'Standup\nDaily at nine',
    },
  })
  const more = (await tenant.patch(`/v1/memories/${json.memory.id}`, { occurrences: 5, confidence: null })).json.memory
  expect(more).toMatchObject({ occurrences: 5, confidence: null, name: 'Standup' })
  expect(await items('/v1/patterns?namespace=user:alice')).toEqual([more])
  expect(await items()).toEqual([])
})

describe('a list', () => {
  test('covers a namespace, a prefix or a user, page by page, and only what the key may see', async () => {
    for (const namespace of ['user:alice', 'user:alice:work', 'user:alicia', 'user:bob'])
      await record({ userId: undefined, namespace, title: namespace })
    const titles = async (query: string, key?: string) =>
      (await tenant.get(`/v1/decisions${query}`, key ? { key } : {})).json.items.map((m: { title: string }) => m.title)
    expect(await titles('?userId=alice')).toEqual(['user:alice', 'user:alice:work'])
    expect(await titles('?namespace=user:alice')).toEqual(['user:alice'])
    expect(await titles('?namespacePrefix=user')).toHaveLength(4)
    const first = (await tenant.get('/v1/decisions?limit=3')).json
    expect(await titles(`?limit=3&cursor=${first.nextCursor}`)).toEqual(['user:bob'])
    const narrow = await tenant.keyFor(['memories:read'], ['user:alice:work'])
    expect(await titles('', narrow)).toEqual(['user:alice:work'])
    expect((await tenant.get('/v1/decisions?userId=bob', { key: narrow })).json.code).toBe('forbidden')
    expect((await tenant.post('/v1/decisions', given, { key: narrow })).json.code).toBe('forbidden')
    expect((await (await here.tenant()).get('/v1/decisions')).json.items).toEqual([])
  })
})

const bad = async (path: string, body: object) => {
  const { status, json, text } = await tenant.post(path, body)
  expect(text).not.toMatch(/select |insert |SQLSTATE|twofold\./)
  return [status, [...new Set((json.errors ?? []).map((e: { path: string }) => e.path))]]
}

test.each([
  [{ title: undefined }, 'title'],
  [{ title: ' ' }, 'title'],
  [{ title: 'x'.repeat(501) }, 'title'],
  [{ title: 'a\0b' }, 'title'],
  [{ rationale: undefined }, 'rationale'],
  [{ rationale: 7 }, 'rationale'],
  [{ rationale: 'x'.repeat(20_001) }, 'rationale'],
  [{ alternatives: 'MongoDB' }, 'alternatives'],
  [{ alternatives: [''] }, 'alternatives[0]'],
  [{ alternatives: Array(51).fill('x') }, 'alternatives'],
  [{ about: [{ value: 'x' }] }, 'about[0].type'],
  [{ about: [{ type: 'person', value: 'x', subject: 'user:bob' }] }, 'about[0].subject'],
  [{ about: Array(51).fill(acme) }, 'about'],
  [{ content: 'x' }, 'content'],
  [{ kind: 'note' }, 'kind'],
  [{ owner: 'Bob' }, 'owner'],
  [{ userId: undefined }, 'namespace'],
  [{ namespace: 'user:bob' }, 'userId'],
  [{ userId: 'a/b' }, 'userId'],
  [{ importance: 11 }, 'importance'],
  [{ expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
  [{ onGraphFailure: 'rollback', waitFor: 'vector' }, 'waitFor'],
])('a decision with %j is refused by name', async (wrong, path) => {
  expect(await bad('/v1/decisions', { ...given, ...wrong })).toEqual([400, [path]])
})

test.each([
  [{ name: undefined }, 'name'],
  [{ description: '' }, 'description'],
  [{ confidence: 1.1 }, 'confidence'],
  [{ confidence: '1' }, 'confidence'],
  [{ occurrences: 0 }, 'occurrences'],
  [{ occurrences: 1.5 }, 'occurrences'],
  [{ title: 'x' }, 'title'],
])('a pattern with %j is refused by name', async (wrong, path) => {
  expect(await bad('/v1/patterns', { userId: 'alice', name: 'Standup', description: 'Daily', ...wrong })).toEqual([400, [path]])
})

test.each([
  ['?limit=0', 'limit'],
  ['?cursor=x', 'cursor'],
  ['?namespace=planet:mars', 'namespace'],
  ['?namespace=user:a&userId=a', 'userId'],
  ['?status=open', 'status'],
])('a list of decisions or patterns with %s is refused by name', async (query, path) => {
  for (const noun of ['decisions', 'patterns']) {
    const { status, json } = await tenant.get(`/v1/${noun}${query}`)
    expect([status, json.errors.map((e: { path: string }) => e.path)]).toEqual([400, [path]])
  }
})
