import { randomUUID } from 'node:crypto'
import type { Memory } from '@twofold/core/memories/memory.ts'
import { applyPatch } from 'rfc6902'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
let memory: Memory
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
  memory = await tenant.add({ content: 'first', tags: ['a', 'b'], metadata: { 'a/b': { '~': [1, 2] }, c: null } })
})

const patch = (body: object, headers = {}) => tenant.patch(`/v1/memories/${memory.id}`, body, { headers })
const history = async (query = '', key?: string) => (await tenant.get(`/v1/memories/${memory.id}/history${query}`, key ? { key } : {})).json
const diff = async (query: string, key?: string) => (await tenant.get(`/v1/memories/${memory.id}/diff?${query}`, key ? { key } : {})).json

describe('the history', () => {
  test('says of every version who made it, when, by what and why, newest first', async () => {
    const key = await tenant.keyFor(['memories:write'], ['*'])
    const { json } = await tenant.patch(
      `/v1/memories/${memory.id}`,
      { content: 'second' },
      { key, headers: { 'x-request-id': 'request-0002', 'x-on-behalf-of': 'Ann' } },
    )
    await tenant.del(`/v1/memories/${memory.id}`)
    await tenant.post(`/v1/memories/${memory.id}/restore`, { version: 1 })
    const { items, nextCursor } = await history()
    expect(nextCursor).toBeNull()
    expect(items.map((i: any) => [i.version, i.action, i.reason, i.memory.content, i.memory.version])).toEqual([
      [4, 'memories.restore', 'version 1', 'first', 4],
      [3, 'memories.delete', null, 'second', 3],
      [2, 'memories.update', null, 'second', 2],
      [1, 'memories.add', null, 'first', 1],
    ])
    expect(items[2]).toMatchObject({
      actor: json.memory.updatedBy,
      onBehalfOf: 'Ann',
      requestId: 'request-0002',
      at: json.memory.updatedAt,
    })
    expect(items[3]).toMatchObject({ actor: memory.createdBy, onBehalfOf: null, at: memory.createdAt, memory })
    expect(json.memory.updatedBy).not.toBe(memory.createdBy)
  })

  test('comes in pages', async () => {
    for (let i = 0; i < 4; i++) await patch({ importance: i })
    const first = await history('?limit=2')
    const second = await history(`?limit=2&cursor=${first.nextCursor}`)
    await patch({ importance: 9 })
    const third = await history(`?limit=2&cursor=${second.nextCursor}`)
    expect([first, second, third].map(({ items }) => items.map((i: any) => i.version))).toEqual([[5, 4], [3, 2], [1]])
    expect(third.nextCursor).toBeNull()
    expect((await history('?cursor=nonsense')).errors[0].path).toBe('cursor')
  })
})

describe('the difference', () => {
  test('of any two versions, applied to the one, gives the other', async () => {
    await patch({ content: 'second', tags: ['b', 'c', 'd'], metadata: { 'a/b': { '~': [2] }, d: { e: 1 } }, summary: 's' })
    await patch({ tags: [], value: { deep: [{ x: 1 }] }, metadata: {} })
    await tenant.del(`/v1/memories/${memory.id}`)
    const { items } = await history()
    const versions = new Map<number, Memory>(items.map((i: any) => [i.version, i.memory]))
    for (const from of versions.keys()) {
      for (const to of versions.keys()) {
        const answer = await diff(`from=${from}&to=${to}`)
        expect([answer.from, answer.to]).toEqual([from, to])
        const patched = structuredClone(versions.get(from))
        expect(applyPatch(patched, answer.patch)).toEqual(answer.patch.map(() => null))
        expect(patched).toEqual(versions.get(to))
        if (from === to) expect(answer.patch).toEqual([])
      }
    }
  })

  test('of a version that is not there names it', async () => {
    expect(await diff('from=1&to=7')).toMatchObject({ status: 404, detail: 'The memory has no version 7.' })
    expect(await diff('from=8&to=1')).toMatchObject({ status: 404, detail: 'The memory has no version 8.' })
  })

  test.each([
    ['from=1', 'to'],
    ['from=0&to=1', 'from'],
    ['from=1&to=x', 'to'],
    ['from=1&to=1&x=1', 'x'],
  ])('?%s is refused by name', async (query, path) => {
    expect(await diff(query)).toMatchObject({ status: 400, errors: [{ path }] })
  })
})

test('history and differences are for those who may see the memory', async () => {
  await patch({ importance: 1 })
  const other = await here.tenant()
  const narrow = await tenant.keyFor(['memories:read'], ['user:bob'])
  const writer = await tenant.keyFor(['memories:write'], ['*'])
  for (const ask of [history, (_: string, key?: string) => diff('from=1&to=2', key)]) {
    expect([
      (await ask('', narrow)).status,
      (await ask('', other.key)).status,
      (await ask('', writer)).status,
      (await ask('', 'tf_x')).status,
    ]).toEqual([404, 404, 403, 401])
  }
  expect((await tenant.get(`/v1/memories/${randomUUID()}/history`)).status).toBe(404)
})
