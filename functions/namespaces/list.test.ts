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

const remember = (...namespaces: string[]) =>
  tenant.post('/v1/memories/batch', { items: namespaces.map((namespace) => ({ namespace, content: namespace, extractEntities: false })) })
const list = async (query = '', key?: string) => (await tenant.get(`/v1/namespaces${query}`, key ? { key } : {})).json
const names = async (query = '', key?: string): Promise<string[]> =>
  (await list(query, key)).items.map((item: { name: string }) => item.name)

test('each namespace that has memories is listed once, by name, with how many of which type and the last change', async () => {
  await remember('user:bob', 'user:alice:work', 'user:alice', 'user:alice')
  const { memory } = (await tenant.post('/v1/memories', { userId: 'alice', content: 'x', type: 'episodic' })).json
  here.pass(1000)
  const { updatedAt } = (await tenant.patch(`/v1/memories/${memory.id}`, { importance: 1 })).json.memory
  const { items, nextCursor } = await list()
  expect(nextCursor).toBeNull()
  expect(items.map((item: any) => item.name)).toEqual(['user:alice', 'user:alice:work', 'user:bob'])
  expect(items[0]).toEqual({ name: 'user:alice', counts: { memories: 3, semantic: 2, episodic: 1, procedural: 0, more: false }, updatedAt })
})

test('of very many it says that there are more', async () => {
  const { id } = await tenant.add({ content: 'one of many', extractEntities: false })
  await here.owner(
    `insert into twofold.memories (tenant_id, id, namespace, type, kind, content, importance, metadata, tags, entities, relations, occurred_at, version,
       created_by, updated_by, created_at, updated_at)
     select tenant_id, gen_random_uuid(), namespace, type, kind, content, importance, metadata, tags, entities, relations, occurred_at, version,
       created_by, updated_by, created_at, updated_at
     from twofold.memories, generate_series(1, 1200) where id = $1`,
    [id],
  )
  await tenant.post('/v1/memories', { userId: 'alice', content: 'x', type: 'episodic' })
  expect((await list()).items[0].counts).toEqual({ memories: 1001, semantic: 1000, episodic: 1, procedural: 0, more: true })
})

test('a prefix covers whole segments and is no pattern', async () => {
  await remember(
    'user:al',
    'user:alice',
    'user:alice!',
    'user:alice:a',
    'user:alice:a:b',
    'user:alicex',
    'project:alice',
    'user:%',
    'user:_',
    'user:%:a',
  )
  expect(await names('?prefix=user:alice')).toEqual(['user:alice', 'user:alice:a', 'user:alice:a:b'])
  expect(await names('?prefix=user:al')).toEqual(['user:al'])
  expect(await names('?prefix=user:%25')).toEqual(['user:%', 'user:%:a'])
  expect(await names('?prefix=user:_')).toEqual(['user:_'])
  expect(await names('?prefix=user:ali%25')).toEqual([])
  expect(await names('?prefix=user:alice:%25')).toEqual([])
  expect(await names('?prefix=project')).toEqual(['project:alice'])
  expect(await names('?prefix=temp')).toEqual([])
  expect(await names()).toHaveLength(10)
})

test('what is deleted or has expired does not count, and a namespace of nothing else is not listed', async () => {
  await remember('user:alice', 'user:bob', 'user:carl')
  const expiresAt = new Date(here.deps.now().getTime() + 1000).toISOString()
  await tenant.post('/v1/memories', { userId: 'alice', content: 'short', expiresAt })
  await tenant.post('/v1/memories', { userId: 'dora', content: 'short', expiresAt })
  const [bob] = (await tenant.get('/v1/memories?namespace=user:bob')).json.items
  await tenant.del(`/v1/memories/${bob.id}`)
  here.pass(2000)
  expect((await list()).items.map((item: any) => [item.name, item.counts.memories])).toEqual([
    ['user:alice', 1],
    ['user:carl', 1],
  ])
  await tenant.post(`/v1/memories/${bob.id}/restore`)
  expect(await names()).toEqual(['user:alice', 'user:bob', 'user:carl'])
})

test('it comes in pages, whatever is written meanwhile, in the order of code points', async () => {
  const all = ['user:B', 'user:a', 'user:b:1', 'user:b:2', 'user:c', 'user:é', 'user:日', 'user:🗝']
  await remember(...all)
  const seen: string[] = []
  for (let cursor = ''; ; ) {
    const { items, nextCursor } = await list(`?limit=3${cursor}`)
    seen.push(...items.map((item: any) => item.name))
    if (nextCursor === null) break
    cursor = `&cursor=${nextCursor}`
    await remember('user:A', 'user:b:1')
  }
  expect(seen).toEqual(all)
  expect((await list('?cursor=nonsense')).errors[0].path).toBe('cursor')
})

test('a key sees what it is granted, also where its grants overlap, and may name no other prefix', async () => {
  await remember('user:alice', 'user:alice:work', 'user:alice:work:x', 'user:alicex', 'user:bob', 'app:one', 'app:two:a')
  const narrow = await tenant.keyFor(['memories:read'], ['user:alice:work', 'app', 'user:alice'])
  expect(await names('', narrow)).toEqual(['app:one', 'app:two:a', 'user:alice', 'user:alice:work', 'user:alice:work:x'])
  expect(await names('?prefix=user:alice:work', narrow)).toEqual(['user:alice:work', 'user:alice:work:x'])
  for (const prefix of ['user', 'user:bob', 'user:alicex']) expect((await list(`?prefix=${prefix}`, narrow)).code).toBe('forbidden')
  expect(await names('', (await here.tenant()).key)).toEqual([])
  expect((await list('', await tenant.keyFor(['memories:write'], ['*']))).code).toBe('forbidden')
})

test.each([
  ['?prefix=', 'prefix'],
  ['?prefix=planet', 'prefix'],
  ['?prefix=user:', 'prefix'],
  ['?prefix=user:a%01', 'prefix'],
  ['?limit=0', 'limit'],
  ['?limit=501', 'limit'],
  ['?namespace=user:a', 'namespace'],
])('%s is refused by name', async (query, path) => {
  expect(await list(query)).toMatchObject({ status: 400, errors: [{ path }] })
})
