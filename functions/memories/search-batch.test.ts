import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  here.provider.fail(null)
  tenant = await here.tenant()
})

const ask = (queries: unknown, key?: string) => tenant.post('/v1/memories/search/batch', { queries }, key ? { key } : {})
const ids = (item: any): string[] => item.results.map((result: any) => result.memory.id)
const add = (content: string, more: object = {}) => tenant.add({ content, extractEntities: false, ...more })

describe('several searches in one request', () => {
  test('are answered in their order, each as it is by itself', async () => {
    await add('Foxes are nocturnal', { tags: ['animal'] })
    await add('Tea is served at five')
    await add('Foxes and tea', { kind: 'preference', namespace: 'user:alice:food' })
    await add('Another fox', { namespace: 'user:bob' })
    const queries = [
      { userId: 'alice', query: 'foxes', limit: 2 },
      { userId: 'alice', query: 'tea', mode: 'text' },
      { namespace: 'user:alice:food', query: 'foxes' },
      { userId: 'alice', query: 'foxes', tags: ['animal'] },
      { userId: 'alice', query: 'tea', kinds: ['preference'] },
      { userId: 'bob', query: 'fox' },
      { query: 'foxes', limit: 3 },
      { userId: 'alice', query: 'foxes', expand: { hops: 1 } },
      { userId: 'alice', query: 'foxes', mode: 'vector', precision: 'exact' },
      { userId: 'nobody', query: 'foxes' },
    ]
    const { status, json } = await ask(queries)
    expect(status).toBe(200)
    expect(json.items).toHaveLength(queries.length)
    for (const [i, query] of queries.entries()) {
      const alone = (await tenant.post('/v1/memories/search', query)).json
      expect(ids(json.items[i])).toEqual(ids(alone))
      expect(json.items[i]).toMatchObject({ degraded: alone.degraded, freshness: { cached: false, asOf: expect.any(String) } })
    }
  })

  test('cost one call of the model, however many, and four round trips to the database', async () => {
    await add('Foxes are nocturnal')
    const { db, embedder } = here.deps
    const calls = { lists: 0, texts: [] as (readonly string[])[] }
    Object.assign(here.deps, {
      db: {
        ...db,
        asCaller: (...args: Parameters<typeof db.asCaller>) => {
          if (JSON.stringify(args[2]).includes('ef_search')) calls.lists++
          return db.asCaller(...args)
        },
      },
      embedder: {
        ...embedder,
        embed: (...args: Parameters<typeof embedder.embed>) => {
          calls.texts.push(args[0])
          return embedder.embed(...args)
        },
      },
    })
    try {
      const queries = Array.from({ length: 20 }, (_, i) => ({ userId: 'alice', query: `word ${i % 10}`, limit: 1 }))
      const { json } = await ask(queries)
      expect(json.items.map((item: any) => ids(item).length)).toEqual(Array(20).fill(1))
    } finally {
      Object.assign(here.deps, { db, embedder })
    }
    expect(calls).toEqual({ lists: 4, texts: [Array.from({ length: 10 }, (_, i) => `word ${i}`)] })
  })

  test('go on without the model, each saying so', async () => {
    const { id } = await add('Foxes are nocturnal')
    here.provider.fail('server-error')
    const { json } = await ask([
      { userId: 'alice', query: 'nocturnal' },
      { userId: 'alice', query: 'nocturnal', mode: 'text' },
    ])
    expect(json.items.map(ids)).toEqual([[id], [id]])
    expect(json.items.map((item: any) => item.degraded)).toEqual([['embedding'], []])
  })

  test('are refused together where the key may not look', async () => {
    await add('Foxes are nocturnal')
    const key = await tenant.keyFor(['memories:read'], ['user:bob'])
    const { json } = await ask(
      [
        { userId: 'bob', query: 'x' },
        { userId: 'alice', query: 'x' },
      ],
      key,
    )
    expect(json.code).toBe('forbidden')
    expect((await ask([{ query: 'foxes' }], key)).json.items[0].results).toEqual([])
    expect((await ask([{ query: 'x' }], await tenant.keyFor(['graph:read'], ['*']))).json.code).toBe('forbidden')
  })
})

const fine = { userId: 'alice', query: 'x' }
test.each([
  [undefined, 'queries'],
  [[], 'queries'],
  [Array(21).fill(fine), 'queries'],
  ['x', 'queries'],
  [[fine, 'x'], 'queries[1]'],
  [[fine, {}], 'queries[1].query'],
  [[{ ...fine, limit: 101 }], 'queries[0].limit'],
  [[fine, fine, { ...fine, namespace: 'user:bob' }], 'queries[2].userId'],
  [[{ userId: 'alice', embedding: [1, 2, 3] }], 'queries[0].embedding'],
  [[{ ...fine, expand: { hops: 100 } }], 'queries[0].expand.hops'],
  [[{ ...fine, cypher: 'x' }], 'queries[0].cypher'],
  [[{ namespacePrefix: 'planet', query: 'x' }], 'queries[0].namespacePrefix'],
])('%j is refused by name', async (queries, path) => {
  const { status, json } = await ask(queries)
  expect([status, json.errors?.map((e: { path: string }) => e.path)]).toEqual([400, [path]])
})
