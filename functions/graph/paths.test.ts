import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Tenant, type World, world } from '../fixture.ts'

/** How two entities hang together. */

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const person = (value: string) => ({ type: 'person', value })
const ask = async (from: string | object, to: string | object, more: object = {}, key?: string) => {
  const end = (it: string | object) => (typeof it === 'string' ? person(it) : it)
  return (await tenant.post('/v1/graph/paths', { from: end(from), to: end(to), ...more }, key ? { key } : {})).json
}
const know = (content: string, people: string[], more: object = {}) =>
  tenant.add({ content, entities: people.map(person), extractEntities: false, waitFor: 'graph', ...more })
const link = (from: string, type: string, to: string, subject = 'user:alice') =>
  tenant.post('/v1/graph/links', {
    links: [{ from: { ...person(from), subject }, type, to: { ...person(to), subject } }],
    waitFor: 'graph',
  })
/** Each path by what its nodes are called. */
const shown = (answer: any): string[] => {
  const names = new Map(answer.nodes.map((node: any) => [node.id, node.content ?? node.value]))
  return answer.paths.map((path: any) => path.nodes.map((id: string) => names.get(id)).join(' > '))
}

describe('paths between two entities', () => {
  test('lead over relations and over memories, shortest first, whichever way the edges point', async () => {
    await link('Anna', 'knows', 'Bert')
    await link('Carl', 'knows', 'Bert')
    await know('Anna and Carl sang', ['Anna', 'Carl'])
    await know('Anna met Dora', ['Anna', 'Dora'])
    await know('Dora met Carl', ['Dora', 'Carl'])
    const answer = await ask('Anna', 'Carl')
    expect(shown(answer).slice(0, 2).sort()).toEqual(['Anna > Anna and Carl sang > Carl', 'Anna > Bert > Carl'])
    expect(shown(answer)).toContain('Anna > Anna met Dora > Dora > Dora met Carl > Carl')
    expect(answer.paths.map((path: any) => path.hops)).toEqual([2, 2, 4])
    expect(
      answer.nodes
        .filter((node: any) => node.hops === 0)
        .map((node: any) => node.value)
        .sort(),
    ).toEqual(['Anna', 'Carl'])
    expect(answer.edges.filter((edge: any) => edge.type === 'RELATES_TO').map((edge: any) => edge.properties.type)).toEqual([
      'knows',
      'knows',
    ])
    expect([answer.cut, answer.freshness.graphLagMs]).toEqual([false, 0])
    expect(shown(await ask('Anna', 'Carl', { hops: 3 }))).toHaveLength(2)
    expect(shown(await ask('Anna', 'Carl', { via: ['knows'] }))).toEqual(['Anna > Bert > Carl'])
    const one = await ask('Anna', 'Carl', { limit: 1 })
    expect([one.paths.length, one.cut]).toEqual([1, true])
  })

  test('of one and of three edges, by id or by name', async () => {
    await link('Anna', 'knows', 'Bert')
    await link('Bert', 'knows', 'Carl')
    await link('Carl', 'knows', 'Dora')
    expect(shown(await ask('Anna', 'Bert', { hops: 1 }))).toEqual(['Anna > Bert'])
    expect(shown(await ask('Dora', 'Anna', { hops: 3 }))).toEqual(['Dora > Carl > Bert > Anna'])
    expect(shown(await ask('Dora', 'Anna', { hops: 2 }))).toEqual([])
    const ids = new Map((await tenant.get('/v1/graph/entities')).json.items.map((e: any) => [e.value, e.id]))
    expect(shown(await ask({ id: ids.get('Anna') }, { id: ids.get('Carl') }))).toEqual(['Anna > Bert > Carl'])
    expect(shown(await ask({ value: 'ANNA' }, { id: ids.get('Bert') }))).toEqual(['Anna > Bert'])
  })

  test('never lead from one subject to another, nor over what the key may not see', async () => {
    await know('Anna met Bert', ['Anna', 'Bert'])
    await know('Bert met Carl', ['Bert', 'Carl'], { namespace: 'user:bob' })
    await know('Anna met Eve', ['Anna', 'Eve'], { namespace: 'user:alice:secret' })
    await know('Eve met Bert', ['Eve', 'Bert'], { namespace: 'user:alice:secret' })
    expect(shown(await ask('Anna', 'Carl'))).toEqual([])
    expect(shown(await ask('Anna', 'Bert'))).toHaveLength(2)
    const narrow = await tenant.keyFor(['graph:read'], ['user:alice:work', 'user:bob'])
    expect(shown(await ask('Anna', 'Bert', {}, narrow))).toEqual([])
    expect(shown(await ask('Anna', 'Bert', { namespacePrefix: 'user:alice:secret' }))).toEqual([
      'Anna > Anna met Eve > Eve > Eve met Bert > Bert',
    ])
    expect((await ask('Anna', 'Bert', { namespacePrefix: 'user:alice' }, narrow)).code).toBe('forbidden')
    expect((await ask('Anna', 'Bert', {}, await tenant.keyFor(['memories:read'], ['*']))).code).toBe('forbidden')
    expect(shown(await ask('Anna', 'Bert', {}, (await here.tenant()).key))).toEqual([])
  })

  test('lead over nothing that is gone, before the graph knows it', async () => {
    const { id } = await know('Anna met Bert', ['Anna', 'Bert'])
    await know('Anna', ['Anna'])
    await know('Bert', ['Bert'])
    await tenant.del(`/v1/memories/${id}`)
    expect(await ask('Anna', 'Bert')).toMatchObject({ paths: [], nodes: [], edges: [] })
  })

  test('of names that nobody mentioned are none, of an id that is not there refused, and so is it while the graph is down', async () => {
    await link('Anna', 'knows', 'Bert')
    expect(await ask('Anna', 'Nobody')).toMatchObject({ paths: [], nodes: [], edges: [], cut: false })
    expect((await ask('Anna', { id: randomUUID() })).code).toBe('not_found')
    expect((await here.withGraph('down', () => ask('Anna', 'Bert'))).code).toBe('unavailable')
  })
})

const id = randomUUID()
test.each([
  [{ from: undefined }, 'from'],
  [{ from: {} }, 'from'],
  [{ from: { type: 'person' } }, 'from'],
  [{ from: { id, value: 'x' } }, 'from'],
  [{ from: { id: 'x' } }, 'from.id'],
  [{ to: { value: ' ' } }, 'to.value'],
  [{ to: { type: 'Person', value: 'x' } }, 'to.type'],
  [{ to: person('ANNA') }, 'to'],
  [{ from: { id }, to: { id } }, 'to'],
  [{ hops: 0 }, 'hops'],
  [{ hops: 100 }, 'hops'],
  [{ limit: 51 }, 'limit'],
  [{ via: [''] }, 'via[0]'],
  [{ namespacePrefix: 'planet' }, 'namespacePrefix'],
  [{ cypher: 'MATCH (n) DETACH DELETE n' }, 'cypher'],
])('%j is refused by name', async (wrong, path) => {
  const { status, json } = await tenant.post('/v1/graph/paths', { from: person('Anna'), to: person('Bert'), ...wrong })
  expect([status, json.errors.map((e: { path: string }) => e.path)]).toEqual([400, expect.arrayContaining([path])])
})
