import { randomUUID } from 'node:crypto'
import type { Memory } from '@twofold/core/memories/memory.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Ask, type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
let memory: Memory
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
  memory = await tenant.add({ content: 'first' })
})

const get = (query = '', ask?: Ask) => tenant.get(`/v1/memories/${memory.id}${query}`, ask)
const patch = async (body: object): Promise<Memory> => {
  here.pass(10)
  return (await tenant.patch(`/v1/memories/${memory.id}`, body)).json.memory
}

test('a memory comes with its version as ETag and where it stands', async () => {
  const { status, json, headers } = await get()
  expect([status, headers.get('etag')]).toEqual([200, '"1"'])
  expect(json).toMatchObject({ memory, receipt: { stores: { vector: { state: 'written' }, graph: { state: 'owed' } }, owed: ['graph'] } })
})

test('a version is shown as it was, with its own ETag', async () => {
  const second = await patch({ content: 'second' })
  await patch({ content: 'third' })
  expect((await get('?version=1')).json.memory).toEqual(memory)
  const { json, headers } = await get('?version=2')
  expect([json.memory, headers.get('etag')]).toEqual([second, '"2"'])
  expect((await get('?version=4')).status).toBe(404)
})

test('a moment shows what was current then: between two writes, at one, before the first', async () => {
  const second = await patch({ content: 'second' })
  const between = new Date(Date.parse(second.updatedAt) - 1).toISOString()
  expect((await get(`?asOf=${between}`)).json.memory).toEqual(memory)
  expect((await get(`?asOf=${second.updatedAt}`)).json.memory).toEqual(second)
  expect((await get('?asOf=2999-01-01T00:00:00Z')).json.memory).toEqual(second)
  expect((await get('?asOf=2001-01-01T00:00:00Z')).status).toBe(404)
})

test('a soft deletion hides it, but neither its versions nor what it was before', async () => {
  here.pass(10)
  await tenant.del(`/v1/memories/${memory.id}`)
  expect((await get()).status).toBe(404)
  expect((await get('?version=1')).json.memory).toEqual(memory)
  expect((await get(`?asOf=${memory.updatedAt}`)).json.memory).toEqual(memory)
  expect((await get('?version=2')).status).toBe(404)
  expect((await get('?asOf=2999-01-01T00:00:00Z')).status).toBe(404)
})

test('what has expired is not there any more, and nor are its versions', async () => {
  await patch({ expiresAt: new Date(here.deps.now().getTime() + 60_000).toISOString() })
  expect((await get()).status).toBe(200)
  here.pass(61_000)
  expect([(await get()).status, (await get('?version=1')).status]).toEqual([404, 404])
})

test('an unknown id, another tenant and a key without the grant cannot be told apart', async () => {
  const other = await here.tenant()
  const narrow = await tenant.keyFor(['memories:read'], ['user:bob', 'user:alice:work', 'user:al'])
  const [unknown, foreign, hidden, past] = [
    await tenant.get(`/v1/memories/${randomUUID()}`),
    await other.get(`/v1/memories/${memory.id}`),
    await get('', { key: narrow }),
    await get('?version=1', { key: narrow }),
  ].map(({ status, json: { requestId: _, ...rest } }) => ({ status, rest }))
  expect(unknown).toMatchObject({ status: 404, rest: { code: 'not_found', detail: 'There is no such memory.' } })
  for (const each of [foreign, hidden, past]) expect(each).toEqual(unknown)
})

test('a key that may only write, an unknown one and none are refused', async () => {
  expect((await get('', { key: await tenant.keyFor(['memories:write', 'graph:read'], ['*']) })).status).toBe(403)
  expect((await get('', { key: 'tf_unknown' })).json.code).toBe('unauthenticated')
  expect((await get('', { key: null })).headers.get('www-authenticate')).toBe('Bearer')
})

test.each([
  ['?version=0', 'version'],
  ['?version=1.5', 'version'],
  ['?version=two', 'version'],
  ['?version=2147483648', 'version'],
  ['?asOf=yesterday', 'asOf'],
  ['?asOf=2026-01-01', 'asOf'],
  ['?asOf=0000-01-01T00:00:00Z', 'asOf'],
  ['?asOf=300000-01-01T00:00:00Z', 'asOf'],
  ['?asOf=%2B300000-01-01T00:00:00Z', 'asOf'],
  ['?asOf=9999-12-31T23:59:59-14:00', 'asOf'],
  ['?asOf=0001-01-01T00:00:00%2B14:00', 'asOf'],
  ['?asOf=2026-02-30T00:00:00Z', 'asOf'],
  ['?maxStalenessMs=-1', 'maxStalenessMs'],
  ['?color=red', 'color'],
  ['?version=1&version=2', 'version'],
])('%s is refused by name', async (query, path) => {
  const { status, json } = await get(query)
  expect([status, json.errors.map((e: { path: string }) => e.path)]).toEqual([400, [path]])
})

test.each(['not-a-uuid', '%00', '1', '%F0%28', "'%20or%20true--"])('an id of %s is refused by name', async (id) => {
  const { status, json } = await tenant.get(`/v1/memories/${id}`)
  expect([status, json.errors[0].path]).toEqual([400, 'id'])
})
