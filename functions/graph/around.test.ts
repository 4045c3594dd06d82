import { randomUUID } from 'node:crypto'
import type { RememberInput } from '@twofold/core/memories/input.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Tenant, type World, world } from '../fixture.ts'

/** What there is around one entity: itself, what it is related to, and what is known of it. */

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const subject = 'user:alice'
const idOf = async (value: string): Promise<string> =>
  (await tenant.get('/v1/graph/entities')).json.items.find((e: { value: string }) => e.value === value).id
const ask = async (value: string, what = '', key?: string) =>
  (await tenant.get(`/v1/graph/entities/${await idOf(value)}${what}`, key ? { key } : {})).json
const named = ([type, value]: readonly string[]) => ({ type, value, subject })
const link = (from: [string, string], type: string, to: [string, string]) =>
  tenant.post('/v1/graph/links', { links: [{ from: named(from), type, to: named(to) }], waitFor: 'graph' })
const know = (content: string, more: Partial<RememberInput> = {}) =>
  tenant.add({ content, extractEntities: false, waitFor: 'graph', entities: [{ type: 'person', value: 'Ada' }], ...more })
const shown = (answer: any) => answer.items.map((e: { value: string; hops: number }) => `${e.value} ${e.hops}`)

describe('an entity', () => {
  test('is answered by its id, to whom it may concern', async () => {
    await know('Ada sleeps', { namespace: 'user:alice:work' })
    expect(await ask('Ada')).toMatchObject({ kind: 'entity', type: 'person', value: 'Ada', subject })
    const narrow = await tenant.keyFor(['graph:read'], ['user:alice:work'])
    expect(await ask('Ada', '', narrow)).toMatchObject({ value: 'Ada' })
    const stranger = await tenant.keyFor(['graph:read'], ['user:alice:home'])
    for (const what of ['', '/context', '/related']) {
      expect((await ask('Ada', what, stranger)).code).toBe('not_found')
      expect((await ask('Ada', what, (await here.tenant()).key)).code).toBe('not_found')
      expect((await ask('Ada', what, await tenant.keyFor(['memories:read'], ['*']))).code).toBe('forbidden')
      expect((await tenant.get(`/v1/graph/entities/${randomUUID()}${what}`)).json.code).toBe('not_found')
    }
  })
})

describe('what it is related to', () => {
  beforeEach(async () => {
    await link(['person', 'Ada'], 'works_at', ['organization', 'Acme'])
    await link(['organization', 'Acme'], 'located_in', ['place', 'Turin'])
    await know('Ada knows Bert', {
      entities: ['Ada', 'Bert', 'Carl'].map((value) => ({ type: 'person', value })),
      relations: [{ from: 'Ada', type: 'knows', to: 'Bert' }],
    })
  })

  test('are the entities that relations lead to, made explicitly or by memories, as far as asked', async () => {
    expect(shown(await ask('Ada', '/related')).sort()).toEqual(['Acme 1', 'Bert 1'])
    const two = await ask('Ada', '/related?hops=2')
    expect(shown(two).sort()).toEqual(['Acme 1', 'Bert 1', 'Turin 2'])
    expect(two.edges.map((edge: any) => edge.properties.type).sort()).toEqual(['knows', 'located_in', 'works_at'])
    expect([two.cut, two.freshness.graphLagMs]).toEqual([false, 0])
  })

  test('can be narrowed to some relations and one direction, or widened to what memories mention together', async () => {
    expect(shown(await ask('Ada', '/related?hops=2&via=works_at'))).toEqual(['Acme 1'])
    expect(shown(await ask('Ada', '/related?hops=2&via=works_at&via=located_in'))).toEqual(['Acme 1', 'Turin 2'])
    expect(shown(await ask('Acme', '/related?direction=in'))).toEqual(['Ada 1'])
    expect(shown(await ask('Ada', '/related?hops=2&via=MENTIONS')).sort()).toEqual(['Bert 2', 'Carl 2'])
    const cut = await ask('Ada', '/related?limit=1')
    expect([cut.items.length, cut.cut]).toEqual([1, true])
  })

  test('is refused while the graph is down', async () => {
    const id = await idOf('Ada')
    const { status, json } = await here.withGraph('down', () => tenant.get(`/v1/graph/entities/${id}/related`))
    expect([status, json.code]).toEqual([503, 'unavailable'])
  })
})

describe('what is known around it', () => {
  test('are its memories, newest first, its relations, what is promised about it, and when it was last spoken of', async () => {
    await know('Ada wrote a program', { occurredAt: '2025-01-01T00:00:00Z' })
    await know('Ada met Babbage', { occurredAt: '2025-06-01T00:00:00Z' })
    await link(['person', 'Ada'], 'works_at', ['organization', 'Acme'])
    const about = [{ type: 'person', value: 'Ada' }]
    const promise = async (title: string, more: object = {}) =>
      (await tenant.post('/v1/commitments', { userId: 'alice', title, owner: 'me', about, occurredAt: '2025-03-01T00:00:00Z', ...more }))
        .json.memory
    await promise('Write to Ada', { dueAt: '2999-01-01T00:00:00Z' })
    await promise('Call Ada', { dueAt: '2026-01-01T00:00:00Z' })
    const done = await promise('Thank Ada')
    await tenant.post(`/v1/commitments/${done.id}/complete`)
    await promise('Pay Bert', { about: [{ type: 'person', value: 'Bert' }] })
    const context = await ask('Ada', '/context')
    expect(context.memories.map((m: any) => m.content.split('\n')[0])).toEqual(['Thank Ada', 'Ada met Babbage', 'Ada wrote a program'])
    expect(context.commitments.map((m: any) => m.title)).toEqual(['Call Ada', 'Write to Ada'])
    expect(context.relations).toMatchObject([
      { from: { value: 'Ada' }, type: 'works_at', to: { value: 'Acme' }, properties: { confidence: 1 } },
    ])
    expect(context).toMatchObject({
      ...{ entity: { value: 'Ada' }, firstMentionedAt: '2025-01-01T00:00:00.000Z', lastMentionedAt: '2025-06-01T00:00:00.000Z' },
      ...{ aliases: [], cut: false, degraded: [] },
    })
    const short = await ask('Ada', '/context?limit=1')
    expect([short.memories.length, short.commitments.length, short.cut]).toEqual([1, 1, true])
  })

  test('and what is mentioned beside it, most often first, in what the key may see', async () => {
    const with_ = (...names: string[]) => ({ entities: ['Ada', ...names].map((value) => ({ type: 'person', value })) })
    await know('1', with_('Bert', 'Carl'))
    await know('2', with_('Carl'))
    await know('3', { ...with_('Dora', 'Carl', 'Bert'), namespace: 'user:alice:work' })
    await know('4', { entities: [{ type: 'person', value: 'Eve' }] })
    const beside = async (what = '', key?: string) =>
      (await ask('Ada', `/context${what}`, key)).coMentioned.map((each: any) => `${each.entity.value} ${each.memories}`)
    expect(await beside()).toEqual(['Carl 3', 'Bert 2', 'Dora 1'])
    expect(await beside('?limit=2')).toEqual(['Carl 3', 'Bert 2'])
    const narrow = await tenant.keyFor(['graph:read'], ['user:alice:work'])
    expect((await beside('', narrow)).sort()).toEqual(['Bert 1', 'Carl 1', 'Dora 1'])
  })

  test('leaves out what the key may not see, and what is gone', async () => {
    await know('at work', { namespace: 'user:alice:work' })
    const { id } = await know('at home')
    const narrow = await tenant.keyFor(['graph:read'], ['user:alice:work'])
    expect((await ask('Ada', '/context', narrow)).memories.map((m: any) => m.content)).toEqual(['at work'])
    await tenant.del(`/v1/memories/${id}`)
    expect((await ask('Ada', '/context')).memories.map((m: any) => m.content)).toEqual(['at work'])
  })

  test('comes without relations while the graph is down, and says so', async () => {
    await know('Ada sleeps')
    const id = await idOf('Ada')
    const { json } = await here.withGraph('down', () => tenant.get(`/v1/graph/entities/${id}/context`))
    expect([json.memories.length, json.relations, json.degraded]).toEqual([1, [], ['graph']])
  })
})

test.each([
  ['/x', 'id'],
  [`/${randomUUID()}?hops=2`, 'hops'],
  ['/x/context', 'id'],
  [`/${randomUUID()}/context?limit=0`, 'limit'],
  [`/${randomUUID()}/context?limit=101`, 'limit'],
  [`/${randomUUID()}/related?hops=0`, 'hops'],
  [`/${randomUUID()}/related?hops=100`, 'hops'],
  [`/${randomUUID()}/related?hops=x`, 'hops'],
  [`/${randomUUID()}/related?limit=501`, 'limit'],
  [`/${randomUUID()}/related?direction=up`, 'direction'],
  [`/${randomUUID()}/related?via=`, 'via[0]'],
  [`/${randomUUID()}/related?cypher=x`, 'cypher'],
])('%s is refused by name', async (path, field) => {
  const { status, json } = await tenant.get(`/v1/graph/entities${path}`)
  expect([status, json.errors.map((e: { path: string }) => e.path)]).toEqual([400, [field]])
})
