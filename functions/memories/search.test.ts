import type { Memory } from '@twofold/core/memories/memory.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sweep, type Tenant, type World, world } from '../fixture.ts'

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

const search = async (query: object, key?: string) => (await tenant.post('/v1/memories/search', query, key ? { key } : {})).json
const contents = async (query: object, key?: string): Promise<string[]> =>
  (await search(query, key)).results.map((r: { memory: Memory }) => r.memory.content)
const remember = async (...items: object[]): Promise<Memory[]> => {
  const { json } = await tenant.post('/v1/memories/batch', {
    items: items.map((item) => ({ userId: 'alice', extractEntities: false, ...item })),
  })
  return json.items.map((item: any) => item.memory)
}
const embedding = (...at: number[]) => Array.from({ length: 64 }, (_, i) => at.filter((x) => x === i).length)

describe('the modes', () => {
  beforeEach(() =>
    remember(
      { content: 'words alone', embedding: embedding(1) },
      { content: 'something near', embedding: embedding(2) },
      { content: 'words and near', embedding: embedding(2, 2, 3) },
      { content: 'far', embedding: embedding(4) },
    ),
  )

  test('text finds by words, vector by meaning, hybrid by both, best first', async () => {
    expect(await contents({ userId: 'alice', query: 'words', mode: 'text' })).toEqual(
      expect.arrayContaining(['words alone', 'words and near']),
    )
    expect((await contents({ userId: 'alice', query: 'words', mode: 'text' })).length).toBe(2)
    expect((await contents({ userId: 'alice', embedding: embedding(2), mode: 'vector' })).slice(0, 2)).toEqual([
      'something near',
      'words and near',
    ])
    expect((await contents({ userId: 'alice', query: 'words', embedding: embedding(2) }))[0]).toBe('words and near')
  })

  test('say of each result what its score is made of', async () => {
    const { results, freshness, degraded } = await search({ userId: 'alice', query: 'words', embedding: embedding(2) })
    for (const { score, parts } of results) {
      expect(score).toBeGreaterThanOrEqual(0)
      expect(score).toBeLessThanOrEqual(1)
      expect(parts.vector).toBeLessThanOrEqual(1.000001)
      expect([parts.importance, parts.recency > 0.99]).toEqual([0.5, true])
    }
    expect(results.map((r: any) => r.score)).toEqual(results.map((r: any) => r.score).toSorted((a: number, b: number) => b - a))
    expect(results[0].parts.vector).toBeCloseTo(2 / Math.sqrt(5), 5)
    expect(results.find((r: any) => r.memory.content === 'words alone').parts).toMatchObject({ vector: 0, text: expect.any(Number) })
    expect(freshness).toMatchObject({ asOf: expect.any(String), cached: false })
    expect(freshness.graphLagMs).toBeGreaterThanOrEqual(0)
    expect(degraded).toEqual([])
    const vector = await search({ userId: 'alice', embedding: embedding(2), mode: 'vector' })
    expect(vector.results[0].parts.text).toBeUndefined()
    const text = await search({ userId: 'alice', query: 'words', mode: 'text' })
    expect(text.results[0].parts.vector).toBeUndefined()
  })

  test('with a threshold leave out what is not similar enough', async () => {
    const near = { userId: 'alice', embedding: embedding(2), mode: 'vector' }
    expect(await contents({ ...near, threshold: 0.95 })).toEqual(['something near'])
    expect(await contents({ ...near, threshold: 0.89 })).toEqual(['something near', 'words and near'])
    expect(await contents({ ...near, query: 'words', mode: 'hybrid', threshold: 0.89 })).not.toContain('words alone')
    expect(await contents({ userId: 'alice', embedding: embedding(9), threshold: 1 })).toEqual([])
  })

  test('with a limit bring the best of them', async () => {
    expect(await contents({ userId: 'alice', embedding: embedding(2), mode: 'vector', limit: 1 })).toEqual(['something near'])
  })

  test('bring the same, approximate or exact, while the store is small', async () => {
    for (const mode of ['hybrid', 'vector']) {
      const ask = { userId: 'alice', query: 'words near', embedding: embedding(2, 3), mode, limit: 100 }
      const [a, b] = [await search({ ...ask, precision: 'approximate' }), await search({ ...ask, precision: 'exact' })]
      const plain = ({ results }: any) => results.map(({ memory, parts }: any) => [memory.id, parts.vector, parts.text])
      expect(plain(a)).toEqual(plain(b))
    }
  })
})

describe('the importance, the time and the names', () => {
  test('part what is otherwise alike', async () => {
    await remember({ content: 'same words', importance: 1 }, { content: 'same words', importance: 9 })
    expect((await search({ userId: 'alice', query: 'same words' })).results.map((r: any) => r.memory.importance)).toEqual([9, 1])
    const at = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
    const [older, newer] = await remember({ content: 'other thing', occurredAt: at(90) }, { content: 'other thing', occurredAt: at(1) })
    expect((await tenant.found({ query: 'other thing' })).slice(0, 2)).toEqual([newer?.id, older?.id])
  })

  test('of an entity lead to what mentions it', async () => {
    await remember({ content: 'lunch was late', entities: [{ type: 'person', value: 'Zoë Müller' }] }, { content: 'lunch was early' })
    const { results } = await search({ userId: 'alice', query: 'zoë müller lunch' })
    expect([results[0].memory.content, results[0].parts.entity > 0]).toEqual(['lunch was late', true])
  })
})

describe('where it looks', () => {
  const places = ['user:alice', 'user:alice:work', 'user:alicex', 'user:al', 'project:alice']
  beforeEach(() => remember(...places.map((namespace) => ({ namespace, userId: undefined, content: `tea ${namespace}` }))))
  const where = async (place: object, key?: string) => (await contents({ query: 'tea', ...place }, key)).map((c) => c.slice(4)).sort()

  test('is a namespace alone, or a prefix in whole segments, or everything', async () => {
    for (const mode of ['hybrid', 'vector', 'text']) {
      expect(await where({ namespace: 'user:alice', mode })).toEqual(['user:alice'])
      expect(await where({ namespacePrefix: 'user:alice', mode })).toEqual(['user:alice', 'user:alice:work'])
      expect(await where({ userId: 'alice', mode })).toEqual(['user:alice', 'user:alice:work'])
      expect(await where({ namespacePrefix: 'user:al', mode })).toEqual(['user:al'])
      expect(await where({ namespacePrefix: 'user', mode })).toEqual(['user:al', 'user:alice', 'user:alice:work', 'user:alicex'])
      expect(await where({ mode })).toEqual(places.toSorted())
    }
    expect(await where({ namespace: 'user:nobody' })).toEqual([])
  })

  test('is what the key is granted, when it names nothing', async () => {
    const key = await tenant.keyFor(['memories:read'], ['user:alice:work', 'project'])
    for (const mode of ['hybrid', 'vector', 'text']) expect(await where({ mode }, key)).toEqual(['project:alice', 'user:alice:work'])
    expect(await where({ precision: 'exact' }, key)).toEqual(['project:alice', 'user:alice:work'])
    expect(await where({ namespacePrefix: 'user:alice:work' }, key)).toEqual(['user:alice:work'])
    for (const place of [{ namespace: 'user:alice' }, { userId: 'alice' }, { namespacePrefix: 'user' }, { namespace: 'user:al' }])
      expect((await search({ query: 'tea', ...place }, key)).code).toBe('forbidden')
  })

  test('is never another tenant', async () => {
    const other = await here.tenant()
    for (const mode of ['hybrid', 'vector', 'text']) expect(await contents({ query: 'tea', mode }, other.key)).toEqual([])
  })

  test('needs the scope, and a key that is alive', async () => {
    const key = await tenant.keyFor(['memories:read'], ['*'])
    expect(await where({}, key)).toHaveLength(5)
    const { items } = (await tenant.get('/v1/keys')).json
    await tenant.del(`/v1/keys/${items.find((k: any) => k.name === 'memories:read').id}`)
    expect((await search({ query: 'tea' }, key)).code).toBe('unauthenticated')
    expect((await search({ query: 'tea' }, await tenant.keyFor(['memories:write'], ['*']))).code).toBe('forbidden')
  })
})

describe('a filter', () => {
  beforeEach(() =>
    remember(
      {
        content: 'x a',
        metadata: { n: 1, s: 'one', b: true, list: [1, 'two'], o: { deep: { x: 5 } } },
        tags: ['red', 'blue'],
        kind: 'decision',
      },
      { content: 'x b', metadata: { n: 2.5, s: 'two', b: false, list: [], o: {}, 'a b': 'é' }, tags: ['red'], type: 'episodic' },
      { content: 'x c', metadata: { n: '2', s: null, date: '2026-02-01T00:00:00.000Z' } },
      { content: 'x d', metadata: {} },
    ),
  )
  const by = async (filter: object) =>
    (await contents({ userId: 'alice', query: 'x', filter }))
      .map((c) => c.slice(2))
      .sort()
      .join('')

  test.each([
    [{ n: { eq: 1 } }, 'a'],
    [{ n: { eq: '2' } }, 'c'],
    [{ n: { ne: 1 } }, 'bcd'],
    [{ n: { gt: 1 } }, 'b'],
    [{ n: { gte: 1, lt: 2.5 } }, 'a'],
    [{ n: { lte: 2.5 } }, 'ab'],
    [{ n: { gt: '1' } }, 'c'],
    [{ s: { gte: 'one', lte: 'two' } }, 'ab'],
    [{ s: { gt: 1 } }, ''],
    [{ date: { gt: '2026-01-31T23:00:00.000Z', lt: '2026-02-01T00:00:00.001Z' } }, 'c'],
    [{ s: { eq: null } }, 'c'],
    [{ b: { eq: true } }, 'a'],
    [{ b: { gt: 0 } }, ''],
    [{ n: { in: [1, '2', null] } }, 'ac'],
    [{ list: { contains: 'two' } }, 'a'],
    [{ list: { contains: 2 } }, ''],
    [{ o: { contains: 'deep' } }, 'a'],
    [{ s: { contains: 'w' } }, 'b'],
    [{ n: { contains: 1 } }, ''],
    [{ 'o.deep.x': { eq: 5 } }, 'a'],
    [{ 'o.deep': { exists: true } }, 'a'],
    [{ 's.deep': { exists: false } }, 'abcd'],
    [{ s: { exists: true } }, 'abc'],
    [{ s: { exists: false } }, 'd'],
    [{ 'a b': { eq: 'é' } }, 'b'],
    [{ list: { eq: 1 } }, ''],
    [{ n: { eq: 1 }, s: { eq: 'one' } }, 'a'],
    [{ n: { eq: 1 }, s: { eq: 'two' } }, ''],
    [{ AND: [{ n: { gt: 0 } }, { b: { eq: false } }] }, 'b'],
    [{ OR: [{ n: { eq: 1 } }, { n: { eq: '2' } }] }, 'ac'],
    [{ NOT: { n: { eq: 1 } } }, 'bcd'],
    [{ NOT: { n: { gt: 0 } } }, 'cd'],
    [{ AND: [{ OR: [{ n: { eq: 1 } }, { s: { exists: false } }] }, { NOT: { AND: [{ b: { eq: true } }, { n: { lt: 5 } }] } }] }, 'd'],
    [{ constructor: { exists: true } }, ''],
    [{ "s' or true --": { eq: 1 } }, ''],
    [{ s: { eq: "' or true --" } }, ''],
  ] as const)('%j finds %s', async (filter, found) => {
    expect(await by(filter)).toBe(found)
  })

  test('by tags takes any of them; by type, kind and time all of it', async () => {
    const found = async (more: object) =>
      (await contents({ userId: 'alice', query: 'x', ...more }))
        .map((c) => c.slice(2))
        .sort()
        .join('')
    expect(await found({ tags: ['blue', 'green'] })).toBe('a')
    expect(await found({ tags: ['red'] })).toBe('ab')
    expect(await found({ types: ['episodic'] })).toBe('b')
    expect(await found({ types: ['episodic', 'semantic'], kinds: ['note'] })).toBe('bcd')
    expect(await found({ kinds: ['decision', 'pattern'] })).toBe('a')
    await remember({ content: 'x e', occurredAt: '2020-05-05T00:00:00Z' })
    expect(await found({ until: '2020-05-05T00:00:00Z' })).toBe('e')
    expect(await found({ since: '2020-05-05T00:00:00Z', until: '2021-01-01T00:00:00Z' })).toBe('e')
    expect(await found({ since: '2020-05-05T00:00:00.001Z' })).toBe('abcd')
    expect(await found({ tags: ['red'], types: ['semantic'], kinds: ['decision'], filter: { n: { eq: 1 } } })).toBe('a')
  })

  test('finds the one that fits among many that do not', async () => {
    await remember(...Array.from({ length: 200 }, (_, i) => ({ content: `x filler ${i}`, embedding: embedding(1) })))
    await remember({ content: 'x needle', tags: ['needle'], metadata: { needle: true }, embedding: embedding(2) })
    for (const mode of ['hybrid', 'vector']) {
      const ask = { userId: 'alice', query: 'filler', embedding: embedding(1), mode }
      expect(await contents({ ...ask, tags: ['needle'] })).toEqual(['x needle'])
      expect(await contents({ ...ask, filter: { needle: { eq: true } } })).toEqual(['x needle'])
    }
  })

  test.each([
    [{}, 'filter'],
    [{ n: 1 }, 'filter.n'],
    [{ n: {} }, 'filter.n'],
    [{ n: { like: 'x' } }, 'filter.n.like'],
    [{ n: { gt: true } }, 'filter.n.gt'],
    [{ n: { in: [] } }, 'filter.n.in'],
    [{ n: { exists: 1 } }, 'filter.n.exists'],
    [{ AND: [] }, 'filter.AND'],
    [{ AND: {} }, 'filter.AND'],
    [{ OR: [{ n: 1 }] }, 'filter.OR[0].n'],
    [{ NOT: [] }, 'filter.NOT'],
    [{ AND: [{ n: { eq: 1 } }], n: { eq: 1 } }, 'filter.n'],
    [{ NOT: { n: { eq: 1, is: 1 } } }, 'filter.NOT.n.is'],
    [{ 'a..b': { eq: 1 } }, 'filter["a..b"]'],
    ['n = 1', 'filter'],
    [null, 'filter'],
  ] as const)('%j is refused by name', async (filter, path) => {
    const { status, errors } = await search({ userId: 'alice', query: 'x', filter })
    expect([status, errors[0].path]).toEqual([400, path])
  })
})

test('a filter of more than a hundred conditions, however they are nested, is refused by name', async () => {
  const conditions = (n: number) => Array.from({ length: n }, (_, i) => ({ [`f${i}`]: { ne: i } }))
  const found = async (filter: object) => {
    const { status, errors } = await search({ userId: 'alice', query: 'x', filter })
    return errors?.[0].path ?? status
  }
  await remember({ content: 'x' })
  expect((await search({ userId: 'alice', query: 'x', filter: Object.assign({}, ...conditions(100)) })).results.length).toBe(1)
  expect(await found(Object.assign({}, ...conditions(101)))).toBe('filter')
  expect(await found({ AND: [{ NOT: { OR: conditions(50) } }, { AND: conditions(50) }, { n: { exists: true } }] })).toBe('filter')
  expect(await found({ AND: Array(50).fill({ OR: Array(50).fill({ OR: conditions(10) }) }) })).toBe('filter')
})

describe('what it answers is the truth of now', () => {
  test('nothing deleted, expired or changed since', async () => {
    const [gone, expiring, changing] = await remember(
      { content: 'tea one' },
      { content: 'tea two', expiresAt: new Date(here.deps.now().getTime() + 1000).toISOString() },
      { content: 'tea three' },
    )
    await tenant.del(`/v1/memories/${gone?.id}`)
    await tenant.patch(`/v1/memories/${changing?.id}`, { content: 'coffee' })
    here.pass(1001)
    expect(expiring).toBeDefined()
    for (const mode of ['hybrid', 'text'])
      expect(await contents({ userId: 'alice', query: 'tea', mode, kinds: ['note'] })).not.toContain('tea two')
    expect(await contents({ userId: 'alice', query: 'tea', mode: 'text' })).toEqual([])
    expect(await contents({ userId: 'alice', query: 'tea', mode: 'vector', threshold: 0.5 })).toEqual([])
  })

  test('or of a moment in the past: content, words and vector of then', async () => {
    const first = await tenant.add({ content: 'Anna likes tea', tags: ['old'], metadata: { v: 1 } })
    here.pass(1000)
    await tenant.patch(`/v1/memories/${first.id}`, { content: 'Bert likes coffee', tags: [], metadata: { v: 2 } })
    here.pass(1000)
    const later = await tenant.add({ content: 'nothing of the sort' })
    here.pass(1000)
    await tenant.del(`/v1/memories/${first.id}`)
    const then = { userId: 'alice', asOf: first.updatedAt }
    for (const mode of ['hybrid', 'vector', 'text'])
      expect(await contents({ ...then, query: 'Anna likes tea', mode })).toEqual(['Anna likes tea'])
    const { results, freshness } = await search({ ...then, query: 'Anna likes tea', mode: 'vector' })
    expect([results[0].parts.vector > 0.999, results[0].memory, freshness.asOf]).toEqual([true, first, first.updatedAt])
    expect(await contents({ ...then, query: 'coffee', mode: 'text' })).toEqual([])
    expect(
      await contents({ ...then, query: 'tea', tags: ['old'], filter: { v: { eq: 1 } }, types: ['semantic'], kinds: ['note'] }),
    ).toEqual(['Anna likes tea'])
    expect(await contents({ ...then, query: 'tea', filter: { v: { eq: 2 } } })).toEqual([])
    expect(await contents({ userId: 'alice', asOf: later.updatedAt, query: 'coffee', mode: 'text' })).toEqual(['Bert likes coffee'])
    expect(await contents({ userId: 'alice', asOf: here.deps.now().toISOString(), query: 'coffee', mode: 'text' })).toEqual([])
    expect(await contents({ ...then, asOf: '2001-01-01T00:00:00Z', query: 'tea' })).toEqual([])
  })

  test('a text whose vector was owed is not found by the one before it, as of then', async () => {
    const first = await tenant.add({ content: 'Anna likes tea', extractEntities: false })
    here.pass(1000)
    here.provider.fail('server-error')
    const { json } = await tenant.patch(`/v1/memories/${first.id}`, { content: 'Bert drives' })
    here.provider.fail(null)
    const ask = { userId: 'alice', asOf: json.memory.updatedAt, query: 'Anna likes tea', mode: 'vector', threshold: 0.9 }
    expect(await contents(ask)).toEqual([])
  })
})

describe('while the model is down', () => {
  test('words still find, and the answer says what is missing', async () => {
    await remember({ content: 'green tea' })
    here.provider.fail('server-error')
    expect(await search({ userId: 'alice', query: 'tea' })).toMatchObject({
      results: [{ memory: { content: 'green tea' } }],
      degraded: ['embedding'],
    })
    expect(await search({ userId: 'alice', query: 'tea', mode: 'vector' })).toMatchObject({ results: [], degraded: ['embedding'] })
    expect(await search({ userId: 'alice', query: 'tea', mode: 'text' })).toMatchObject({ degraded: [] })
    expect(await search({ userId: 'alice', embedding: embedding(1) })).toMatchObject({ degraded: [] })
  })
})

describe('expand', () => {
  const link = (content: string, ...values: string[]) => ({ content, entities: values.map((value) => ({ type: 'person', value })) })
  beforeEach(async () => {
    await remember(link('start here', 'Anna'), link('one away', 'Anna', 'Bert'), link('two away', 'Bert'), { content: 'apart' })
    await remember({ ...link('other user', 'Anna'), userId: 'bob' })
    for (let i = 0; i < 3; i++) await sweep(here.deps)
  })
  const ask = { userId: 'alice', query: 'start', mode: 'text' }

  test('brings what the graph connects, after the results, and says over which', async () => {
    const { results } = await search({ ...ask, expand: { hops: 2 } })
    expect(results.map((r: any) => r.memory.content)).toEqual(['start here', 'one away'])
    expect(results[1].via).toEqual({ from: results[0].memory.id, hops: 2 })
    expect([results[0].via, results[1].score < results[0].score]).toEqual([undefined, true])
    expect(await contents({ ...ask, expand: { hops: 1 } })).toEqual(['start here'])
    expect(await contents({ ...ask, expand: { hops: 0 } })).toEqual(['start here'])
  })

  test('never leaves the places that the search looks at', async () => {
    expect(await contents({ query: 'start', mode: 'text', expand: { hops: 3 } })).not.toContain('other user')
    await remember({ ...link('at work', 'Anna'), namespace: 'user:alice:work', userId: undefined })
    for (let i = 0; i < 3; i++) await sweep(here.deps)
    expect(await contents({ ...ask, expand: { hops: 2 } })).toContain('at work')
    expect(await contents({ query: 'start', mode: 'text', namespace: 'user:alice', expand: { hops: 2 } })).not.toContain('at work')
  })

  test('while the graph is down leaves out what is connected, and says so', async () => {
    const answer = await here.withGraph('down', () => search({ ...ask, expand: { hops: 2 } }))
    expect([answer.results.map((r: any) => r.memory.content), answer.degraded]).toEqual([['start here'], ['graph']])
  })
})

test.each([
  [{}, 'query'],
  [{ query: '' }, 'query'],
  [{ query: 'x'.repeat(10_001) }, 'query'],
  [{ query: 1 }, 'query'],
  [{ embedding: embedding(1), mode: 'text' }, 'query'],
  [{ query: 'x', embedding: [] }, 'embedding'],
  [{ query: 'x', embedding: [1, 2] }, 'embedding'],
  [{ query: 'x', embedding: embedding() }, 'embedding'],
  [{ query: 'x', limit: 0 }, 'limit'],
  [{ query: 'x', limit: 101 }, 'limit'],
  [{ query: 'x', limit: '5' }, 'limit'],
  [{ query: 'x', threshold: 1.1 }, 'threshold'],
  [{ query: 'x', threshold: 0.5, mode: 'text' }, 'threshold'],
  [{ query: 'x', types: ['note'] }, 'types[0]'],
  [{ query: 'x', types: [] }, 'types'],
  [{ query: 'x', kinds: ['A'] }, 'kinds[0]'],
  [{ query: 'x', tags: [''] }, 'tags[0]'],
  [{ query: 'x', mode: 'fuzzy' }, 'mode'],
  [{ query: 'x', precision: 'high' }, 'precision'],
  [{ query: 'x', expand: { hops: 4 } }, 'expand.hops'],
  [{ query: 'x', expand: {} }, 'expand.hops'],
  [{ query: 'x', asOf: '2026-01-01T00:00:00Z', userId: undefined }, 'asOf'],
  [{ query: 'x', asOf: '2026-01-01T00:00:00Z', expand: { hops: 1 } }, 'expand'],
  [{ query: 'x', since: 'now' }, 'since'],
  [{ query: 'x', namespace: 'user:alice' }, 'userId'],
  [{ query: 'x', namespacePrefix: 'planet', userId: undefined }, 'namespacePrefix'],
  [{ query: 'x', topK: 5 }, 'topK'],
])('%j is refused by name', async (query, path) => {
  const { status, errors } = await search({ userId: 'alice', ...query })
  expect([status, [...new Set(errors.map((e: { path: string }) => e.path))]]).toEqual([400, [path]])
})
