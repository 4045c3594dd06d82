import type { Memory } from '@twofold/core/memories/memory.ts'
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

const list = async (query: string, key?: string) => (await tenant.get(`/v1/memories?${query}`, key ? { key } : {})).json
const contents = async (query: string, key?: string): Promise<string[]> => (await list(query, key)).items.map((m: Memory) => m.content)
const remember = (contentsOf: string[], more: object = {}) =>
  tenant.post('/v1/memories/batch', { items: contentsOf.map((content) => ({ userId: 'alice', content, extractEntities: false, ...more })) })

describe('a filter', () => {
  test('by namespace, prefix and user covers whole segments', async () => {
    for (const namespace of ['user:alice', 'user:alice:work', 'user:alicex', 'user:al', 'project:alice', 'user:alice-b'])
      await tenant.add({ namespace, content: namespace, extractEntities: false })
    expect(await contents('namespace=user:alice')).toEqual(['user:alice'])
    expect(await contents('namespacePrefix=user:alice')).toEqual(['user:alice', 'user:alice:work'])
    expect(await contents('userId=alice')).toEqual(['user:alice', 'user:alice:work'])
    expect(await contents('namespacePrefix=user:al')).toEqual(['user:al'])
    expect(await contents('namespacePrefix=project')).toEqual(['project:alice'])
    expect(await contents('')).toHaveLength(6)
  })

  test('by type, kind, key, tag and maker leaves only those', async () => {
    const mine = await tenant.add({ content: 'a', type: 'episodic', kind: 'decision', key: 'k', tags: ['red', 'blue'] })
    const key = await tenant.keyFor(['memories:write'], ['*'])
    const theirs = (await tenant.post('/v1/memories', { userId: 'alice', content: 'b', tags: ['red'] }, { key })).json.memory
    expect(await contents('type=episodic')).toEqual(['a'])
    expect(await contents('type=procedural')).toEqual([])
    expect(await contents('kind=decision')).toEqual(['a'])
    expect(await contents('key=k')).toEqual(['a'])
    expect(await contents('tag=red')).toEqual(['a', 'b'])
    expect(await contents('tag=blue&type=episodic&kind=decision&namespace=user:alice')).toEqual(['a'])
    expect(await contents(`createdBy=${mine.createdBy}`)).toEqual(['a'])
    expect(await contents(`createdBy=${theirs.createdBy}`)).toEqual(['b'])
  })

  test('by change finds what was updated since, to the millisecond', async () => {
    await tenant.add({ content: 'old' })
    here.pass(1000)
    const { id } = await tenant.add({ content: 'new' })
    const { updatedAt } = (await tenant.patch(`/v1/memories/${id}`, { importance: 1 })).json.memory
    expect(await contents(`updatedSince=${updatedAt}`)).toEqual(['new'])
    expect(await contents(`updatedSince=${new Date(Date.parse(updatedAt) + 1).toISOString()}`)).toEqual([])
  })

  test('for the deleted shows them with the others, and says when', async () => {
    const { id } = await tenant.add({ content: 'gone' })
    await tenant.add({ content: 'here' })
    await tenant.del(`/v1/memories/${id}`)
    expect(await contents('')).toEqual(['here'])
    const { items } = await list('includeDeleted=true')
    expect(items.map((m: Memory) => [m.content, m.deletedAt !== null])).toEqual([
      ['gone', true],
      ['here', false],
    ])
  })

  test('for a moment shows what was current then, with the filters of then', async () => {
    const { id, updatedAt } = await tenant.add({ content: 'before', tags: ['x'], kind: 'decision', key: 'k' })
    here.pass(1000)
    await tenant.patch(`/v1/memories/${id}`, { content: 'after', tags: [], kind: 'note' })
    here.pass(1000)
    const later = await tenant.add({ content: 'later' })
    await tenant.del(`/v1/memories/${id}`)
    expect(await contents(`asOf=${updatedAt}`)).toEqual(['before'])
    for (const filter of ['tag=x', 'kind=decision', 'key=k', 'type=semantic', 'namespace=user:alice', `updatedSince=${updatedAt}`])
      expect(await contents(`asOf=${updatedAt}&${filter}`)).toEqual(['before'])
    expect(await contents(`asOf=${updatedAt}&kind=note`)).toEqual([])
    expect(await contents(`asOf=${later.updatedAt}&tag=x`)).toEqual([])
    expect(await contents('asOf=2999-01-01T00:00:00Z')).toEqual(['later'])
    expect(await contents('asOf=2999-01-01T00:00:00Z&includeDeleted=true')).toEqual(['after', 'later'])
    expect(await contents('asOf=2001-01-01T00:00:00Z')).toEqual([])
  })

  test('does not bring back what has expired', async () => {
    await tenant.add({ content: 'short', expiresAt: new Date(here.deps.now().getTime() + 1000).toISOString() })
    expect(await contents('')).toEqual(['short'])
    here.pass(1001)
    expect(await contents('includeDeleted=true')).toEqual([])
  })
})

describe('pages', () => {
  const pages = async (query: string, between: () => Promise<unknown> = async () => null) => {
    const seen: string[][] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const { items, nextCursor } = await list(`${query}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
      seen.push(items.map((m: Memory) => m.content))
      cursor = nextCursor
      await between()
    }
    return seen
  }
  const names = Array.from({ length: 7 }, (_, i) => `n ${i}`)

  test('follow each other without a gap, the last one saying so', async () => {
    await remember(names)
    expect((await pages('limit=3')).map((page) => page.length)).toEqual([3, 3, 1])
    expect((await pages('limit=3')).flat()).toEqual(names)
    expect((await pages('limit=7')).flat()).toEqual(names)
    expect((await pages('limit=3&asOf=2999-01-01T00:00:00Z')).flat()).toEqual(names)
    expect((await list('')).nextCursor).toBeNull()
  })

  test('neither lose nor double anything while others write, change and delete', async () => {
    await remember(names)
    const [first] = (await list('limit=1')).items
    let n = 0
    const all = (
      await pages('limit=2', async () => {
        if (n++ < 2) await remember([`late ${n}`])
        await tenant.patch(`/v1/memories/${first.id}`, { importance: n })
        if (n === 1) await tenant.del(`/v1/memories/${first.id}`)
      })
    ).flat()
    expect(all).toEqual([...names, 'late 1', 'late 2'])
  })

  test.each(['x', '!!', 'bnVsbA', 'IjEi', encodeURIComponent(Buffer.from('"\' or 1=1"').toString('base64url')), 'a'.repeat(2001)])(
    'refuse the cursor %s, which no answer has given',
    async (cursor) => {
      const { status, errors } = await list(`cursor=${cursor}`)
      expect([status, errors[0].path]).toEqual([400, 'cursor'])
    },
  )

  test.each(['0', '501', '-1', 'many', '1.5', ''])('refuse a limit of "%s"', async (limit) => {
    const { status, errors } = await list(`limit=${limit}`)
    expect([status, errors[0].path]).toEqual([400, 'limit'])
  })
})

describe('a key', () => {
  test('sees what its grants cover, whole segments of it, and is refused where it names more', async () => {
    for (const namespace of ['user:alice', 'user:alice:work', 'user:bob', 'user:bobby', 'project:x'])
      await tenant.add({ namespace, content: namespace, extractEntities: false })
    const key = await tenant.keyFor(['memories:read'], ['user:alice:work', 'user:bob'])
    expect(await contents('', key)).toEqual(['user:alice:work', 'user:bob'])
    expect(await contents('asOf=2999-01-01T00:00:00Z', key)).toEqual(['user:alice:work', 'user:bob'])
    expect(await contents('namespacePrefix=user:bob', key)).toEqual(['user:bob'])
    for (const query of [
      'namespace=user:alice',
      'userId=alice',
      'namespacePrefix=user',
      'namespace=user:bobby',
      'namespacePrefix=project:x',
    ]) {
      expect([(await list(query, key)).status, (await list(`${query}&asOf=2999-01-01T00:00:00Z`, key)).status]).toEqual([403, 403])
    }
  })

  test('of another tenant sees nothing, one without the scope is refused', async () => {
    await tenant.add({ content: 'mine' })
    const other = await here.tenant()
    expect(await contents('', other.key)).toEqual([])
    expect((await list('', await tenant.keyFor(['memories:write'], ['*']))).status).toBe(403)
    expect((await list('', 'tf_unknown')).status).toBe(401)
  })
})

test.each([
  ['namespace=user:', 'namespace'],
  ['namespace=user::x', 'namespace'],
  ['namespace=planet:mars', 'namespace'],
  ['namespace=user', 'namespace'],
  ['namespacePrefix=us', 'namespacePrefix'],
  ['namespacePrefix=', 'namespacePrefix'],
  ['userId=a:b', 'userId'],
  ['userId=alice&namespace=user:alice', 'userId'],
  ['type=unknown', 'type'],
  ['kind=Note', 'kind'],
  ['key=a/b', 'key'],
  ['tag=', 'tag'],
  ['includeDeleted=yes', 'includeDeleted'],
  ['updatedSince=now', 'updatedSince'],
  ['namespace=user:%00', 'namespace'],
  ['namespace=user:%ff', 'namespace'],
  ['%ff=1', 'query'],
  ['unknown=1', 'unknown'],
])('?%s is refused by name', async (query, path) => {
  const { status, errors } = await list(query)
  expect([status, errors.map((e: { path: string }) => e.path)]).toEqual([400, [path]])
})
