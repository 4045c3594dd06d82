import { randomUUID } from 'node:crypto'
import type { Memory } from '@twofold/core/memories/memory.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Ask, type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
let memory: Memory
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  here.provider.fail(null)
  tenant = await here.tenant()
  memory = await tenant.add({ content: 'met Anna there', key: 'k', metadata: { a: 1 }, tags: ['t'] })
})

const restore = (body: object = {}, ask?: Ask) => tenant.post(`/v1/memories/${memory.id}/restore`, body, ask)
const del = () => tenant.del(`/v1/memories/${memory.id}`)
const patch = (body: object) => tenant.patch(`/v1/memories/${memory.id}`, body)
const entities = async () => (await tenant.get('/v1/graph/entities')).json.items.map((e: { value: string }) => e.value)

describe('after a soft deletion', () => {
  test('the memory is back in both stores, as a new version, without a model', async () => {
    await del()
    const before = { ...here.provider.requests }
    const { status, json, headers } = await restore()
    expect(here.provider.requests).toEqual(before)
    expect([status, headers.get('etag')]).toEqual([200, '"3"'])
    expect(json.memory).toEqual({ ...memory, version: 3, updatedAt: expect.any(String) })
    for (const mode of ['vector', 'text']) expect(await tenant.found({ query: 'met Anna there', mode })).toEqual([memory.id])
    expect(await tenant.found({ query: 'met Anna there', mode: 'vector', threshold: 0.9999 })).toEqual([memory.id])
    expect(await entities()).toEqual(['Anna'])
    const { items } = (await tenant.get(`/v1/memories/${memory.id}/history`)).json
    expect(items.map((i: any) => [i.version, i.action, i.reason])).toEqual([
      [3, 'memories.restore', null],
      [2, 'memories.delete', null],
      [1, 'memories.add', null],
    ])
  })

  test('a key that was given away meanwhile is a conflict, and it stays deleted', async () => {
    await del()
    await tenant.add({ content: 'next', key: 'k' })
    const { status, json } = await restore()
    expect([status, json.code]).toEqual([409, 'conflict'])
    expect((await tenant.get(`/v1/memories/${memory.id}`)).status).toBe(404)
  })

  test('an old version can be named', async () => {
    await patch({ content: 'met Bert', tags: [] })
    await del()
    const { json } = await restore({ version: 1 })
    expect(json.memory).toMatchObject({ content: 'met Anna there', tags: ['t'], version: 4, deletedAt: null })
  })

  test('what has expired meanwhile stays for good', async () => {
    await patch({ expiresAt: new Date(here.deps.now().getTime() + 1000).toISOString() })
    await del()
    here.pass(2000)
    const { status, json } = await restore()
    expect([status, json.memory.expiresAt]).toEqual([200, null])
    expect((await tenant.get(`/v1/memories/${memory.id}`)).status).toBe(200)
  })
})

describe('an old version', () => {
  test('becomes the newest with its words, vector and entities; nothing in between is lost', async () => {
    await patch({ content: 'met Bert', importance: 1, metadata: {}, tags: [], key: null, kind: 'decision', summary: 's' })
    const { json } = await restore({ version: 1 })
    expect(json.memory).toEqual({ ...memory, version: 3, updatedAt: expect.any(String) })
    expect(await tenant.found({ query: 'met Anna there', mode: 'vector', threshold: 0.9999 })).toEqual([memory.id])
    expect(await tenant.found({ query: 'Bert', mode: 'text' })).toEqual([])
    expect(await entities()).toEqual(['Anna'])
    expect((await tenant.get(`/v1/memories/${memory.id}?version=2`)).json.memory.content).toBe('met Bert')
    const { items } = (await tenant.get(`/v1/memories/${memory.id}/history`)).json
    expect([items[0].action, items[0].reason]).toEqual(['memories.restore', 'version 1'])
  })

  test("brings back the caller's own vector, though no model could make it", async () => {
    const embedding = Array.from({ length: 64 }, (_, i) => (i === 7 ? 1 : 0))
    const own = await tenant.add({ content: 'own', embedding, extractEntities: false })
    await tenant.patch(`/v1/memories/${own.id}`, { content: 'theirs' })
    here.provider.fail('server-error')
    const { json } = await tenant.post(`/v1/memories/${own.id}/restore`, { version: 1 })
    expect(json.receipt.owed).toEqual(['graph'])
    expect(await tenant.found({ embedding, mode: 'vector', threshold: 0.9999 })).toEqual([own.id])
  })

  test('that is not there, or is a deletion, is not found', async () => {
    await del()
    expect([(await restore({ version: 2 })).status, (await restore({ version: 9 })).status]).toEqual([404, 404])
  })
})

test('an idempotency key gives the first answer again', async () => {
  const headers = { 'idempotency-key': 'restore-1' }
  await del()
  const first = await restore({}, { headers })
  const again = await restore({}, { headers })
  expect([again.headers.get('idempotency-replayed'), again.json.memory]).toEqual(['true', first.json.memory])
  expect((await tenant.get(`/v1/memories/${memory.id}`)).json.memory.version).toBe(3)
})

test('of eight who restore at once each is told a version that is there', async () => {
  await del()
  const all = await Promise.all(Array.from({ length: 8 }, () => restore()))
  expect(all.map(({ status }) => status)).toEqual(Array(8).fill(200))
  expect(all.map(({ json }) => json.memory.version).sort((a, b) => a - b)).toEqual([3, 4, 5, 6, 7, 8, 9, 10])
})

test('what the caller may not see cannot be restored', async () => {
  await del()
  const other = await here.tenant()
  expect((await other.post(`/v1/memories/${memory.id}/restore`)).status).toBe(404)
  expect((await tenant.post(`/v1/memories/${randomUUID()}/restore`)).status).toBe(404)
  expect((await restore({}, { key: await tenant.keyFor(['memories:write'], ['user:bob']) })).status).toBe(404)
  expect((await restore({}, { key: await tenant.keyFor(['memories:read'], ['*']) })).status).toBe(403)
  expect((await restore({}, { key: null })).status).toBe(401)
})

test.each([
  [{ version: 0 }, 'version'],
  [{ version: '1' }, 'version'],
  [{ versions: 1 }, 'versions'],
])('%o is refused by name', async (body, path) => {
  const { status, json } = await restore(body)
  expect([status, json.errors[0].path]).toEqual([400, path])
})
