import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Ask, type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const start = async (id: string, more: object = {}) => {
  const { status, text } = await tenant.post('/v1/sessions', { id, appName: 'assistant', userId: 'alice', ...more })
  expect([status, text]).toEqual([201, expect.any(String)])
}
const append = (id: string) => tenant.post(`/v1/sessions/${id}/events`, { event: {} })
const page = async (query = '', ask?: Ask) => (await tenant.get(`/v1/sessions?${query}`, ask)).json
const ids = async (query = '', ask?: Ask) => (await page(query, ask)).items.map((s: any) => s.id)

test('sessions are listed in the order they were started, as each is read', async () => {
  for (const id of ['one', 'two', 'three']) await start(id, { state: { 'user:seen': id, 'session:at': id } })
  const { items, nextCursor } = await page()
  expect(nextCursor).toBe(null)
  expect(items.map((s: any) => s.id)).toEqual(['one', 'two', 'three'])
  for (const session of items) expect((await tenant.get(`/v1/sessions/${session.id}`)).json.session).toEqual(session)
})

test('by status, user, project and app, alone and together', async () => {
  await start('a', { projectId: 'p1' })
  await start('b', { userId: 'bob', projectId: 'p1' })
  await start('c', { appName: 'other' })
  await start('d', { userId: undefined })
  for (const id of ['a', 'c']) await tenant.patch(`/v1/sessions/${id}`, { status: 'active' })
  expect(await ids('status=active')).toEqual(['a', 'c'])
  expect(await ids('status=archived')).toEqual([])
  expect(await ids('userId=alice')).toEqual(['a', 'c'])
  expect(await ids('projectId=p1')).toEqual(['a', 'b'])
  expect(await ids('appName=assistant')).toEqual(['a', 'b', 'd'])
  expect(await ids('appName=assistant&userId=alice&status=active&projectId=p1')).toEqual(['a'])
  expect(await ids('appName=other&userId=bob')).toEqual([])
})

test('a key sees what its grants cover; a user outside of them is refused', async () => {
  await start('a')
  await start('b', { userId: 'bob' })
  await start('c', { userId: undefined })
  const narrow = { key: await tenant.keyFor(['sessions:read'], ['user:bob', 'session:c']) }
  expect(await ids('', narrow)).toEqual(['b', 'c'])
  expect(await ids('userId=bob', narrow)).toEqual(['b'])
  expect((await page('userId=alice', narrow)).code).toBe('forbidden')
  expect((await page('', { key: await tenant.keyFor(['memories:read'], ['*']) })).code).toBe('forbidden')
})

test('its pages hold each session once, whatever is written meanwhile', async () => {
  for (let i = 0; i < 7; i++) await start(`s${i}`)
  const seen: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { items, nextCursor }: any = await page(`limit=2${cursor && `&cursor=${cursor}`}`)
    seen.push(...items.map((s: any) => s.id))
    for (const id of ['s0', 's6']) await append(id)
    cursor = nextCursor
  }
  expect(seen).toEqual(Array.from({ length: 7 }, (_, i) => `s${i}`))
})

test('since a moment they come in the order of their last change, and one that changes meanwhile comes again', async () => {
  for (const id of ['a', 'b', 'c', 'd']) await start(id)
  await tenant.patch('/v1/sessions/d', { status: 'active' })
  await append('b')
  const since = (await tenant.get('/v1/sessions/c')).json.session.updatedAt
  expect(await ids(`updatedSince=${since}`)).toEqual(['c', 'd', 'b'])
  expect(await ids(`updatedSince=${since}&status=created`)).toEqual(['c', 'b'])
  const first = await page(`updatedSince=${since}&limit=1`)
  await append('c')
  const rest = await page(`updatedSince=${since}&cursor=${first.nextCursor}`)
  expect([first, rest].map(({ items }) => items.map((s: any) => s.id))).toEqual([['c'], ['d', 'b', 'c']])
})

test('an answer stays within what it can carry', async () => {
  for (let i = 0; i < 22; i++) await start(`s${i}`, { state: { 'session:x': 'x'.repeat(250_000) } })
  const { text, json } = await tenant.get('/v1/sessions?limit=500')
  expect([text.length < 4.6 * 1024 * 1024, json.items.length]).toEqual([true, 17])
  expect((await page(`limit=500&cursor=${json.nextCursor}`)).items.map((s: any) => s.id)).toEqual(['s17', 's18', 's19', 's20', 's21'])
})

test.each([
  ['status=flying', 'status'],
  ['status=', 'status'],
  ['userId=a:b', 'userId'],
  ['userId=', 'userId'],
  ['userId=a%25&userId=b', 'userId'],
  ['projectId=a/b', 'projectId'],
  ['appName=a%00b', 'appName'],
  ['updatedSince=0000-01-01T00:00:00Z', 'updatedSince'],
  ['updatedSince=%2B300000-01-01T00:00:00Z', 'updatedSince'],
  ['updatedSince=yesterday', 'updatedSince'],
  ['limit=0', 'limit'],
  ['cursor=x', 'cursor'],
  ['namespace=user:alice', 'namespace'],
])('a list with %s is refused by name', async (query, path) => {
  const { status, json } = await tenant.get(`/v1/sessions?${query}`)
  expect([status, json.errors.map((e: any) => e.path)]).toEqual([400, [path]])
})

test('a user whose name is a pattern is nobody else, and a cursor belongs to its order', async () => {
  await start('a')
  await start('b')
  expect(await ids('userId=%25')).toEqual([])
  const { nextCursor } = await page('limit=1')
  expect((await page(`limit=1&cursor=${nextCursor}&updatedSince=2026-01-01T00:00:00Z`)).errors).toMatchObject([{ path: 'cursor' }])
})
