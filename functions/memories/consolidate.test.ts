import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Ask, sweep, type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  here.provider.fail(null)
  here.provider.say(null)
  tenant = await here.tenant()
})

const namespace = 'user:alice'
const consolidate = (body: object = {}, ask?: Ask) =>
  tenant.post('/v1/memories/consolidate', { namespace, strategy: 'exact', ...body }, ask)
const add = async (content: string, more: object = {}): Promise<string> =>
  (await tenant.add({ content, extractEntities: false, ...more })).id
const listed = async (query = ''): Promise<any[]> => (await tenant.get(`/v1/memories?namespace=${namespace}${query}`)).json.items
const ids = async () => (await listed()).map((memory) => memory.id)
const restore = (id: string) => tenant.post(`/v1/memories/${id}/restore`)
const settle = async () => {
  here.pass(1000)
  for (let i = 0; i < 3; i++) await sweep(here.deps)
}
/** What a deep look finds to differ between the stores. */
const drift = async () => {
  await settle()
  return (await tenant.post('/api/persistence/sync', { operation: 'check', deep: true })).json.result.inconsistencies
}
const superseded = async (memoryId: string) => {
  await settle()
  const { nodes, edges } = (await tenant.post('/v1/graph/query', { start: { memoryId }, via: ['SUPERSEDES'] })).json
  return {
    nodes: nodes.filter((n: any) => n.hops > 0).map((n: any) => [n.id, n.supersededBy]),
    edges: edges.map((e: any) => [e.from, e.type, e.to]),
  }
}

describe.each(['exact', 'similar'])('strategy %s', (strategy) => {
  test('merges what differs in case, white space and a final stop, and leaves the rest', async () => {
    const [first, second, third, other] = [
      await add('Alice lives in Paris'),
      await add('Alice lives in  Paris'),
      await add('alice lives in paris.'),
      await add('Bob likes chess'),
    ] as [string, string, string, string]
    const groups = [{ kept: first, merged: [second, third].sort(), reason: strategy }]
    const dry = await consolidate({ strategy, dryRun: true })
    expect(dry.json).toEqual({ groups, consolidated: 2, done: true, cursor: null })
    expect(await ids()).toEqual([first, second, third, other])
    const { status, json } = await consolidate({ strategy })
    expect([status, json]).toEqual([200, { groups, consolidated: 2, done: true, cursor: null }])
    expect(await ids()).toEqual([first, other])
    expect(await tenant.found({ query: 'Paris' })).not.toContain(second)
    expect((await consolidate({ strategy })).json.groups).toEqual([])
  })

  test('merges nothing that has a key, into it all the more', async () => {
    const [keyed, again] = [await add('likes tea', { key: 'drink' }), await add('likes tea', { key: 'beverage' })]
    const loose = await add('Likes tea')
    expect((await consolidate({ strategy })).json.groups).toEqual([{ kept: keyed, merged: [loose], reason: strategy }])
    expect(await ids()).toEqual([keyed, again])
  })

  test('merges neither across kinds, types, speakers and fields nor what happened at another time', async () => {
    await add('likes tea')
    await add('likes tea', { type: 'procedural' })
    await add('likes tea', { kind: 'preference' })
    await add('likes tea', { speaker: 'Bob' })
    await add('likes tea', { value: 1 })
    await add('likes tea', { occurredAt: '2025-01-01T12:00:00Z' })
    await add('likes tea', { occurredAt: '2025-01-02T12:00:00Z' })
    expect((await consolidate({ strategy })).json.consolidated).toBe(0)
  })

  test('keeps what lasts, then what matters most', async () => {
    const soon = new Date(here.deps.now().getTime() + 3_600_000).toISOString()
    const [ends, plain, important] = [
      await add('likes tea', { expiresAt: soon, importance: 10 }),
      await add('likes tea'),
      await add('likes tea', { importance: 8 }),
    ]
    expect((await consolidate({ strategy })).json.groups).toMatchObject([{ kept: important, merged: [ends, plain].sort() }])
  })

  test('looks at exactly this namespace', async () => {
    await add('likes tea')
    await add('likes tea', { namespace: 'user:alice:drinks' })
    await add('likes tea', { namespace: 'user:bob' })
    expect((await consolidate({ strategy })).json.consolidated).toBe(0)
  })
})

describe('what was merged', () => {
  let kept: string
  let merged: string
  beforeEach(async () => {
    kept = await add('likes tea', { entities: [{ type: 'product', value: 'tea' }] })
    merged = await add('Likes tea.', { entities: [{ type: 'product', value: 'tea' }] })
    expect((await consolidate()).json.consolidated).toBe(1)
  })

  test('points to what superseded it, in its history and in the graph, and both stores agree', async () => {
    expect(await listed('&includeDeleted=true')).toMatchObject([
      { id: kept },
      { id: merged, supersededBy: kept, deletedAt: expect.any(String) },
    ])
    const { items } = (await tenant.get(`/v1/memories/${merged}/history`)).json
    expect(items[0]).toMatchObject({
      action: 'memories.consolidate',
      reason: 'exact',
      memory: { supersededBy: kept, content: 'Likes tea.' },
    })
    expect(await superseded(kept)).toEqual({ nodes: [[merged, kept]], edges: [[kept, 'SUPERSEDES', merged]] })
    expect(await drift()).toEqual([])
    const { sync } = (await tenant.get('/api/persistence/status')).json
    expect(sync).toEqual({ vectorStoreCount: 1, graphStoreCount: 1, syncPercentage: 100 })
  })

  test('comes back by restore, and nothing supersedes it then', async () => {
    await settle()
    const { status, json } = await restore(merged)
    expect([status, json.memory.version, json.memory.supersededBy]).toEqual([200, 3, undefined])
    expect(await ids()).toEqual([kept, merged])
    expect(await superseded(kept)).toEqual({ nodes: [], edges: [] })
    expect(await drift()).toEqual([])
    expect((await tenant.post('/v1/graph/query', { start: { value: 'tea' } })).json.nodes.map((n: any) => n.id)).toContain(merged)
  })

  test('is never superseded in a circle', async () => {
    await restore(merged)
    await tenant.patch(`/v1/memories/${merged}`, { importance: 9 })
    expect((await consolidate()).json.groups).toMatchObject([{ kept: merged, merged: [kept] }])
    expect(await listed('&includeDeleted=true')).toMatchObject([
      { id: kept, supersededBy: merged },
      { id: merged, deletedAt: null },
    ])
    expect(await superseded(merged)).toEqual({ nodes: [[kept, merged]], edges: [[merged, 'SUPERSEDES', kept]] })
    await expect(here.owner(`update twofold.memories set superseded_by = '${kept}' where id = '${merged}'`)).rejects.toThrow(
      'superseded_is_deleted',
    )
  })

  test('outlives for good what superseded it', async () => {
    await settle()
    await tenant.del(`/v1/memories/${kept}?hard=true`)
    expect(await listed('&includeDeleted=true')).toMatchObject([{ id: merged }])
    expect(await drift()).toEqual([])
    expect((await restore(merged)).status).toBe(200)
    expect(await ids()).toEqual([merged])
    expect(await drift()).toEqual([])
  })

  test('can be deleted for good, and is pointed to no more', async () => {
    await settle()
    expect((await tenant.del(`/v1/memories/${merged}?hard=true`)).status).toBe(200)
    expect(await superseded(kept)).toEqual({ nodes: [], edges: [] })
    expect(await drift()).toEqual([])
  })

  test('goes on in a chain', async () => {
    await add('Likes tea', { importance: 9 })
    const [last] = (await consolidate()).json.groups
    expect(last.merged).toEqual([kept])
    await settle()
    const { nodes } = (await tenant.post('/v1/graph/query', { start: { memoryId: last.kept }, via: ['SUPERSEDES'], hops: 2 })).json
    expect(nodes.map((n: any) => n.id)).toEqual([last.kept, kept, merged])
    expect(await drift()).toEqual([])
  })
})

test('what a later change outdates points to it, without a model', async () => {
  const place = (value: string) => ({
    entities: [
      { type: 'person', value: 'Alice' },
      { type: 'place', value },
    ],
    relations: [{ from: 'Alice', type: 'lives_in', to: value }],
  })
  const rome = await add('Alice lives in Rome', place('Rome'))
  const [paris, again] = [await add('Alice has moved to Paris', place('Paris')), await add('alice has moved to Paris.', place('Paris'))]
  await add('Alice lives in Turin in summer', place('Turin'))
  const { groups } = (await consolidate({ strategy: 'similar' })).json
  expect(groups).toEqual([
    { kept: again, merged: [rome], reason: 'contradiction' },
    { kept: again, merged: [paris], reason: 'similar' },
  ])
  expect(await superseded(again)).toMatchObject({ nodes: [rome, paris].toSorted().map((id) => [id, again]) })
  expect((await restore(rome)).status).toBe(200)
  expect(await drift()).toEqual([])
})

test('the same request with the same Idempotency-Key is answered the same, and merges nothing else', async () => {
  for (const content of ['likes tea', 'Likes tea', 'likes tea.', 'has a dog', 'Has a dog']) await add(content)
  const ask = { headers: { 'idempotency-key': randomUUID() } }
  const first = await consolidate({}, ask)
  expect(first.json.consolidated).toBe(3)
  await add('likes tea')
  const again = await consolidate({}, ask)
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  const byKept = (a: any, b: any) => (a.kept < b.kept ? -1 : 1)
  expect({ ...again.json, groups: again.json.groups.toSorted(byKept) }).toEqual({
    ...first.json,
    groups: first.json.groups.toSorted(byKept),
  })
  expect(await ids()).toHaveLength(3)
  expect((await consolidate({ strategy: 'similar' }, ask)).json.code).toBe('idempotency_mismatch')
  await tenant.del(`/v1/memories/${first.json.groups[0].merged[0]}?hard=true`)
  expect((await consolidate({}, ask)).status).toBe(410)
})

test('a large namespace is done in parts', async () => {
  // With vectors of their own, so that none is owed on a busy machine.
  const vector = (n: number) => Array.from({ length: 64 }, (_, i) => (i === n % 64 || i === (n * 7 + 1) % 61 ? 1 : 0))
  const items = Array.from({ length: 202 }, (_, i) => ({
    ...{ namespace, content: `fact ${i >> 1}`, embedding: vector(i >> 1), extractEntities: false },
  }))
  expect((await tenant.post('/v1/memories/batch', { items })).json.items.every((item: any) => item.ok)).toBe(true)
  for (const strategy of ['exact', 'similar']) {
    const dry = (await consolidate({ strategy, dryRun: true })).json
    expect([dry.consolidated > 0, dry.done]).toEqual([true, false])
    const rest = (await consolidate({ strategy, dryRun: true, cursor: dry.cursor })).json
    const beyond = rest.done ? rest : (await consolidate({ strategy, dryRun: true, cursor: rest.cursor })).json
    const parts = rest.done ? [dry, rest] : [dry, rest, beyond]
    expect([parts.reduce((sum, part) => sum + part.consolidated, 0), beyond.done]).toEqual([101, true])
  }
  const first = (await consolidate()).json
  expect((await consolidate({ cursor: first.cursor })).json).toMatchObject({ consolidated: 1, done: true })
  expect(await ids()).toHaveLength(50)
  expect((await tenant.get(`/v1/memories?namespace=${namespace}&limit=500`)).json.items).toHaveLength(101)
})

test.each([
  [{ strategy: 'guess' }, 'strategy'],
  [{ namespace: 'user:%', strategy: 'fuzzy' }, 'strategy'],
  [{ namespace: 'alice' }, 'namespace'],
  [{ cursor: 'nonsense' }, 'cursor'],
  [{ dryRun: 'yes' }, 'dryRun'],
  [{ userId: 'alice' }, 'userId'],
])('%j is refused', async (body, path) => {
  const { status, json } = await consolidate(body)
  expect([status, json.errors.map((e: any) => e.path)]).toEqual([400, expect.arrayContaining([path])])
})

test('a key needs to write there', async () => {
  const [reader, elsewhere] = [await tenant.keyFor(['memories:read'], ['*']), await tenant.keyFor(['memories:write'], ['user:bob'])]
  expect((await consolidate({}, { key: reader })).status).toBe(403)
  expect((await consolidate({}, { key: elsewhere })).status).toBe(403)
})

describe('strategy model', () => {
  type Text = { number: number; text: string }
  const numberOf = (texts: Text[], text: string) => texts.find((it) => it.text === text)?.number ?? 0
  const propose = (groups: (texts: Text[]) => unknown) => here.provider.say(({ texts }) => ({ groups: groups(texts) }))

  test('of a contradiction the latest stays, whatever the model says', async () => {
    const rome = await add('Alice lives in Rome', { occurredAt: '2025-01-01T00:00:00Z' })
    const paris = await add('Alice has moved to Paris', { occurredAt: '2026-01-01T00:00:00Z' })
    propose((texts) => [
      { keep: numberOf(texts, 'Alice lives in Rome'), merge: [numberOf(texts, 'Alice has moved to Paris')], reason: 'contradiction' },
    ])
    expect((await consolidate({ strategy: 'model' })).json.groups).toEqual([{ kept: paris, merged: [rome], reason: 'contradiction' }])
    expect(await superseded(paris)).toEqual({ nodes: [[rome, paris]], edges: [[paris, 'SUPERSEDES', rome]] })
    expect((await restore(rome)).status).toBe(200)
    expect(await drift()).toEqual([])
  })

  test('of duplicates the one that the model chose stays', async () => {
    const [less, more] = [await add('Alice has a dog'), await add('Alice has a dog called Rex')]
    propose((texts) => [
      { keep: numberOf(texts, 'Alice has a dog called Rex'), merge: [numberOf(texts, 'Alice has a dog')], reason: 'duplicate' },
    ])
    expect((await consolidate({ strategy: 'model' })).json.groups).toEqual([{ kept: more, merged: [less], reason: 'duplicate' }])
  })

  test.each<[string, unknown]>([
    ['numbers it was not shown', [{ keep: 1, merge: [7], reason: 'duplicate' }]],
    ['numbers that are none', [{ keep: 1.5, merge: [-1], reason: 'duplicate' }]],
    ['one with itself', [{ keep: 1, merge: [1], reason: 'duplicate' }]],
    ['one twice', [{ keep: 1, merge: [2, 2], reason: 'duplicate' }]],
    ['nothing', [{ keep: 1, merge: [], reason: 'duplicate' }]],
    ['other numbers as the same', [{ keep: 2, merge: [3], reason: 'duplicate' }]],
    ['another kind', [{ keep: 1, merge: [4], reason: 'contradiction' }]],
  ])('a proposal that merges %s is left out, and nothing is lost', async (_, groups) => {
    await add('Alice has a cat')
    await add('The team meets at 3')
    await add('The team meets at 4')
    await add('Alice has a cat', { kind: 'preference' })
    propose(() => groups)
    expect((await consolidate({ strategy: 'model' })).json).toEqual({ groups: [], consolidated: 0, done: true, cursor: null })
    expect(await ids()).toHaveLength(4)
  })

  test('each memory is in one group at most: what comes second is left out', async () => {
    for (const content of ['Alice has a cat', 'Alice owns a cat', 'Alice keeps a cat']) await add(content)
    propose(() => [
      { keep: 1, merge: [2], reason: 'duplicate' },
      { keep: 2, merge: [3], reason: 'duplicate' },
    ])
    expect((await consolidate({ strategy: 'model' })).json.consolidated).toBe(1)
  })

  test.each(['server-error', 'malformed', 'cut'] as const)('a model with %s changes nothing, and it is said', async (failure) => {
    for (const content of ['Alice has a cat', 'Alice owns a cat']) await add(content)
    here.provider.fail(failure)
    const { status, json } = await consolidate({ strategy: 'model' })
    expect([status, json.code]).toEqual([503, 'unavailable'])
    expect(await ids()).toHaveLength(2)
  })

  test('a model that answers something else changes nothing', async () => {
    for (const content of ['Alice has a cat', 'Alice owns a cat']) await add(content)
    here.provider.say(() => 'I would rather not')
    expect((await consolidate({ strategy: 'model' })).status).toBe(503)
  })

  test('what is edited while the model thinks is left alone, and the rest is merged', async () => {
    const [one, two, three, four] = [
      await add('Alice has a cat'),
      await add('Alice owns a cat'),
      await add('Bob has a boat'),
      await add('Bob owns a boat'),
    ]
    here.provider.say(async () => {
      await tenant.patch(`/v1/memories/${two}`, { content: 'Alice owns a dog', extractEntities: false })
      return {
        groups: [
          { keep: 1, merge: [2], reason: 'duplicate' },
          { keep: 3, merge: [4], reason: 'duplicate' },
        ],
      }
    })
    expect((await consolidate({ strategy: 'model' })).json.groups).toEqual([{ kept: three, merged: [four], reason: 'duplicate' }])
    expect(await ids()).toEqual([one, two, three])
  })

  test('a replay asks no model', async () => {
    for (const content of ['Alice has a cat', 'Alice owns a cat']) await add(content)
    propose(() => [{ keep: 1, merge: [2], reason: 'duplicate' }])
    const ask = { headers: { 'idempotency-key': randomUUID() } }
    const first = await consolidate({ strategy: 'model' }, ask)
    const before = { ...here.provider.requests }
    expect((await consolidate({ strategy: 'model' }, ask)).json).toEqual(first.json)
    expect(here.provider.requests).toEqual(before)
  })
})

describe('by itself', () => {
  const schedule = `/v1/namespaces/${encodeURIComponent(namespace)}/consolidation`

  test('a namespace is consolidated when somebody wants it to be, again and again until he does not', async () => {
    expect((await tenant.get(schedule)).json.consolidation).toMatchObject({ strategy: 'none', nextAt: null })
    for (const content of ['likes tea', 'Likes tea']) await add(content)
    const { status, json } = await tenant.call('PUT', schedule, { strategy: 'exact', everyHours: 2 })
    expect([status, json.consolidation]).toMatchObject([200, { namespace, strategy: 'exact', everyHours: 2 }])
    await settle()
    expect(await ids()).toHaveLength(1)
    await add('likes tea.')
    await settle()
    expect(await ids()).toHaveLength(2)
    here.pass(2 * 3_600_000)
    await settle()
    expect(await ids()).toHaveLength(1)
    expect((await tenant.call('PUT', schedule, { strategy: 'none' })).json.consolidation.strategy).toBe('none')
    await add('likes tea!')
    here.pass(24 * 3_600_000)
    await settle()
    expect(await ids()).toHaveLength(2)
  })

  test('what was restored stays apart until it is changed', async () => {
    for (const content of ['likes tea', 'Likes tea']) await add(content)
    await tenant.call('PUT', schedule, { strategy: 'exact', everyHours: 1 })
    await settle()
    const [kept] = await ids()
    const all = (await tenant.get(`/v1/memories?namespace=${encodeURIComponent(namespace)}&includeDeleted=true`)).json.items
    const merged = all.map(({ id }: { id: string }) => id).find((id: string) => id !== kept) as string
    expect((await tenant.post(`/v1/memories/${merged}/restore`, {})).status).toBe(200)
    here.pass(3_600_000)
    await settle()
    expect(await ids()).toHaveLength(2)
    await tenant.patch(`/v1/memories/${merged}`, { importance: 1 })
    here.pass(3_600_000)
    await settle()
    expect(await ids()).toEqual([kept])
  })

  test('a model that is down puts it off', async () => {
    for (const content of ['Alice has a cat', 'Alice owns a cat']) await add(content)
    await tenant.call('PUT', schedule, { strategy: 'model' })
    here.provider.fail('server-error')
    await settle()
    expect(await ids()).toHaveLength(2)
    here.provider.fail(null)
    here.provider.say(() => ({ groups: [{ keep: 1, merge: [2], reason: 'duplicate' }] }))
    here.pass(3_600_000)
    await settle()
    expect(await ids()).toHaveLength(1)
  })
})

test('without a language model the strategy model is refused, with what is missing', async () => {
  const bare = await world({ LANGUAGE_MODEL: 'embedded' })
  try {
    const alone = await bare.tenant()
    const { status, json } = await alone.post('/v1/memories/consolidate', { namespace, strategy: 'model' })
    expect([status, json.errors]).toEqual([400, [{ path: 'strategy', message: expect.stringContaining('LANGUAGE_MODEL') }]])
  } finally {
    await bare.close()
  }
})
