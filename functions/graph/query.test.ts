import { randomUUID } from 'node:crypto'
import type { Memory } from '@twofold/core/memories/memory.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Ask, sweep, type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const query = async (body: object, ask?: Ask) => (await tenant.post('/v1/graph/query', body, ask)).json
const person = (value: string) => ({ type: 'person', value })
const remember = (content: string, people: string[], more: object = {}): Promise<Memory> =>
  tenant.add({ content, entities: people.map(person), extractEntities: false, waitFor: 'graph', ...more })
/** Nodes by what they are called. */
const names = (answer: any): string[] => answer.nodes.map((node: any) => node.content ?? node.value).sort()

describe('from an entity', () => {
  test('leads to the memories that mention it, and over them to others, nearest first', async () => {
    const memory = await remember('Anna met Bert', ['Anna', 'Bert'], { relations: [{ from: 'Anna', type: 'knows', to: 'Bert' }] })
    await remember('Bert met Carl', ['Bert', 'Carl'])
    const one = await query({ start: person('anna') })
    expect(names(one)).toEqual(['Anna', 'Anna met Bert', 'Bert'])
    expect(one.nodes[0]).toMatchObject({
      kind: 'entity',
      type: 'person',
      value: 'Anna',
      normalized: 'anna',
      subject: 'user:alice',
      hops: 0,
    })
    expect(one.nodes.find((n: any) => n.kind === 'memory')).toMatchObject({
      id: memory.id,
      content: 'Anna met Bert',
      namespace: 'user:alice',
      hops: 1,
    })
    const types = one.edges.map((edge: any) => [edge.type, edge.properties.type])
    expect(types).toContainEqual(['MENTIONS', undefined])
    expect(types).toContainEqual(['RELATES_TO', 'knows'])
    expect(names(await query({ start: person('Anna'), hops: 2 }))).toContain('Bert met Carl')
    expect(names(await query({ start: person('Anna'), hops: 3 }))).toContain('Carl')
    expect(names(await query({ start: { value: 'ANNA' } }))).toContain('Anna met Bert')
    expect(names(await query({ start: { type: 'person' } }))).toEqual(expect.arrayContaining(['Anna', 'Bert', 'Carl']))
  })

  test('follows only the edges and the direction it is told', async () => {
    await remember('Anna met Bert', ['Anna', 'Bert'], { relations: [{ from: 'Anna', type: 'knows', to: 'Bert' }] })
    expect(names(await query({ start: person('Anna'), via: ['knows'] }))).toEqual(['Anna', 'Bert'])
    expect(names(await query({ start: person('Anna'), via: ['RELATES_TO'], direction: 'in' }))).toEqual(['Anna'])
    expect(names(await query({ start: person('Bert'), via: ['RELATES_TO'], direction: 'in' }))).toEqual(['Anna', 'Bert'])
    expect(names(await query({ start: person('Anna'), via: ['married to'] }))).toEqual(['Anna'])
    expect(names(await query({ start: person('Anna'), direction: 'out', via: ['MENTIONS'] }))).toEqual(['Anna'])
  })

  test('says when there was more than it was asked for', async () => {
    for (const i of [1, 2, 3]) await remember(`met ${i}`, ['Anna'])
    const cut = await query({ start: person('Anna'), limit: 2 })
    expect([cut.nodes.length, cut.cut]).toEqual([2, true])
    expect((await query({ start: person('Anna'), limit: 4 })).cut).toBe(false)
  })

  test('nobody has heard of is an empty answer', async () => {
    expect(await query({ start: person('Nobody') })).toMatchObject({ nodes: [], edges: [], cut: false })
  })
})

describe('from a memory', () => {
  test('leads to what it mentions', async () => {
    const memory = await remember('Anna met Bert', ['Anna', 'Bert'])
    expect(names(await query({ start: { memoryId: memory.id } }))).toEqual(['Anna', 'Anna met Bert', 'Bert'])
  })

  test('that is unknown, deleted, expired or of another tenant is not found', async () => {
    const memory = await remember('Anna met Bert', ['Anna'])
    const expiring = await remember('short', ['Anna'], { expiresAt: new Date(here.deps.now().getTime() + 1000).toISOString() })
    const other = await here.tenant()
    expect((await query({ start: { memoryId: memory.id } }, { key: other.key })).code).toBe('not_found')
    await tenant.del(`/v1/memories/${memory.id}`)
    here.pass(1001)
    for (const memoryId of [memory.id, expiring.id, randomUUID()]) expect((await query({ start: { memoryId } })).code).toBe('not_found')
  })
})

describe('what is shown is the truth of now, before the graph knows it', () => {
  test('a changed memory with its new words, a deleted one not at all', async () => {
    const changed = await remember('old words', ['Anna'])
    const deleted = await remember('deleted words', ['Anna'])
    await tenant.patch(`/v1/memories/${changed.id}`, { summary: 'new' })
    await tenant.del(`/v1/memories/${deleted.id}`)
    const answer = await query({ start: person('Anna') })
    expect(names(answer)).toEqual(['Anna', 'old words'])
    expect(answer.nodes.find((n: any) => n.kind === 'memory')).toMatchObject({ summary: 'new', version: 2 })
    here.pass(5000)
    expect((await query({ start: person('Anna') })).freshness.graphLagMs).toBeGreaterThanOrEqual(5000)
    for (let i = 0; i < 3; i++) await sweep(here.deps)
    expect((await query({ start: person('Anna') })).freshness.graphLagMs).toBe(0)
  })
})

describe('places', () => {
  beforeEach(async () => {
    await remember('mine', ['Anna'])
    await remember('at work', ['Anna', 'Boss'], { namespace: 'user:alice:work' })
    await remember('theirs', ['Anna'], { namespace: 'user:bob' })
  })

  test('are never crossed: the Anna of one user is not the Anna of another', async () => {
    const answer = await query({ start: person('Anna'), hops: 4 })
    expect(names(answer)).toEqual(['Anna', 'Anna', 'Boss', 'at work', 'mine', 'theirs'])
    const annas = answer.nodes.filter((n: any) => n.value === 'Anna')
    expect(annas.map((n: any) => n.subject).sort()).toEqual(['user:alice', 'user:bob'])
    expect(names(await query({ start: person('Anna'), hops: 4, namespacePrefix: 'user:bob' }))).toEqual(['Anna', 'theirs'])
    expect(names(await query({ start: person('Anna'), hops: 4, namespacePrefix: 'user:alice:work' }))).toEqual(['Anna', 'Boss', 'at work'])
  })

  test('a key has no grant for are not there, nor what is known only from them', async () => {
    const key = await tenant.keyFor(['graph:read'], ['user:alice:work'])
    expect(names(await query({ start: person('Anna'), hops: 4 }, { key }))).toEqual(['Anna', 'Boss', 'at work'])
    const bob = await tenant.keyFor(['graph:read'], ['user:bob'])
    expect(names(await query({ start: person('Boss'), hops: 4 }, { key: bob }))).toEqual([])
    for (const namespacePrefix of ['user:alice', 'user', 'user:bo'])
      expect((await query({ start: person('Anna'), namespacePrefix }, { key: bob })).code).toBe('forbidden')
  })
})

test('is refused without the scope or a key, and told so while the graph is down', async () => {
  await remember('mine', ['Anna'])
  expect((await query({ start: person('Anna') }, { key: await tenant.keyFor(['memories:read'], ['*']) })).code).toBe('forbidden')
  expect((await query({ start: person('Anna') }, { key: null })).code).toBe('unauthenticated')
  const down = await here.withGraph('down', () => tenant.post('/v1/graph/query', { start: person('Anna') }))
  expect([down.status, down.json.code, down.text.includes('nodes')]).toEqual([503, 'unavailable', false])
})

test.each([
  [{}, 'start'],
  [{ start: {} }, 'start'],
  [{ start: { memoryId: 'x' } }, 'start.memoryId'],
  [{ start: { memoryId: randomUUID(), value: 'x' } }, 'start'],
  [{ start: { value: ' ' } }, 'start.value'],
  [{ start: { value: 'x'.repeat(501) } }, 'start.value'],
  [{ start: { type: 'Person' } }, 'start.type'],
  [{ start: { cypher: 'MATCH (n) DETACH DELETE n' } }, 'start.cypher'],
  [{ start: { value: 'x' }, hops: 0 }, 'hops'],
  [{ start: { value: 'x' }, hops: 5 }, 'hops'],
  [{ start: { value: 'x' }, limit: 501 }, 'limit'],
  [{ start: { value: 'x' }, direction: 'up' }, 'direction'],
  [{ start: { value: 'x' }, via: [''] }, 'via[0]'],
  [{ start: { value: 'x' }, namespacePrefix: 'planet' }, 'namespacePrefix'],
  [{ start: { value: 'x' }, cypher: 'x' }, 'cypher'],
])('%j is refused by name', async (body, path) => {
  const { status, errors } = await query(body)
  expect([status, errors.map((e: { path: string }) => e.path)]).toEqual([400, expect.arrayContaining([path])])
})
