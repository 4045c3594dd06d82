import type { Memory } from '@twofold/core/memories/memory.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
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

const list = async (query = '', key?: string) => (await tenant.get(`/v1/graph/entities${query}`, key ? { key } : {})).json
const values = async (query = '', key?: string): Promise<string[]> => (await list(query, key)).items.map((e: { value: string }) => e.value)
const remember = (namespace: string, ...entities: [string, string][]): Promise<Memory> =>
  tenant.add({ namespace, content: 'x', extractEntities: false, entities: entities.map(([type, value]) => ({ type, value })) })

test('an entity is there with the write, before the graph shows it, and once for all its spellings', async () => {
  await remember('user:alice', ['person', 'Ada Lovelace'])
  await remember('user:alice:work', ['person', 'ada  LOVELACE'], ['place', 'Turin'])
  const { items, nextCursor } = await list()
  expect(items[0]).toEqual({
    ...{ id: expect.any(String), kind: 'entity', type: 'person', value: 'Ada Lovelace', normalized: 'ada_lovelace', subject: 'user:alice' },
    createdAt: expect.any(String),
  })
  expect([items.length, nextCursor]).toEqual([2, null])
})

test('it is found by the words of its name, its type and its subject', async () => {
  await remember('user:alice', ['person', 'Zoë Müller'], ['organization', 'Müller AG'], ['place', '東京'])
  await remember('user:bob', ['person', 'Zoë Müller'])
  expect(await values('?q=muller&subject=user:alice')).toEqual(['Zoë Müller', 'Müller AG'])
  expect(await values('?q=zoe%20MÜLLER'.replace('Ü', encodeURIComponent('Ü')))).toEqual(['Zoë Müller', 'Zoë Müller'])
  expect(await values(`?q=${encodeURIComponent('東京')}`)).toEqual(['東京'])
  expect(await values('?q=mull')).toEqual([])
  expect(await values('?type=organization')).toEqual(['Müller AG'])
  expect(await values('?type=person&subject=user:bob&q=zoe')).toEqual(['Zoë Müller'])
  expect(await values('?q=nobody')).toEqual([])
})

test('it goes when the last memory that mentions it goes, and comes back with it', async () => {
  const { id } = await remember('user:alice', ['person', 'Anna'])
  await tenant.patch(`/v1/memories/${id}`, { entities: [{ type: 'person', value: 'Bert' }] })
  expect(await values()).toEqual(['Bert'])
  await tenant.del(`/v1/memories/${id}`)
  expect(await values()).toEqual([])
  await tenant.post(`/v1/memories/${id}/restore`, { version: 1 })
  expect(await values()).toEqual(['Anna'])
})

test('pages follow each other without a gap', async () => {
  await remember('user:alice', ...Array.from({ length: 7 }, (_, i): [string, string] => ['person', `P${i}`]))
  const seen: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const page = await list(`?limit=3${cursor && `&cursor=${cursor}`}`)
    seen.push(...page.items.map((e: { value: string }) => e.value))
    cursor = page.nextCursor
  }
  expect(seen.sort()).toEqual(['P0', 'P1', 'P2', 'P3', 'P4', 'P5', 'P6'])
})

test('a key sees those that memories in its grant mention, and no others', async () => {
  await remember('user:alice', ['person', 'Secret'], ['person', 'Shared'])
  await remember('user:alice:work', ['person', 'Shared'])
  await remember('user:bob', ['person', 'Theirs'])
  const key = await tenant.keyFor(['graph:read'], ['user:alice:work'])
  expect(await values('', key)).toEqual(['Shared'])
  expect(await values('?q=secret', key)).toEqual([])
  expect((await list('?subject=user:bob', key)).code).toBe('forbidden')
  expect((await list('?subject=user:alice', key)).code).toBe('forbidden')
  expect(await values('', (await here.tenant()).key)).toEqual([])
  expect((await list('', await tenant.keyFor(['memories:read'], ['*']))).code).toBe('forbidden')
  expect((await list('', 'tf_unknown')).code).toBe('unauthenticated')
})

test.each([
  ['?type=Person', 'type'],
  ['?subject=user', 'subject'],
  ['?subject=user:alice:work', 'subject'],
  ['?subject=planet:mars', 'subject'],
  ['?limit=0', 'limit'],
  ['?limit=501', 'limit'],
  ['?cursor=x', 'cursor'],
  [`?q=${'x'.repeat(501)}`, 'q'],
  ['?q=%00', 'q'],
  ['?name=x', 'name'],
])('%s is refused by name', async (query, path) => {
  const { status, errors } = await list(query)
  expect([status, [...new Set(errors.map((e: { path: string }) => e.path))]]).toEqual([400, [path]])
})
