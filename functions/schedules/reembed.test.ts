import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { sweep, type Tenant, type World, world } from '../fixture.ts'
import { reembed } from './reembed.ts'

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

const whileDown = async <T>(work: () => Promise<T>): Promise<T> => {
  here.provider.fail('server-error')
  try {
    return await work()
  } finally {
    here.provider.fail(null)
  }
}
const receipt = async (id: string) => (await tenant.get(`/v1/memories/${id}`)).json.receipt

test('what the models owe is made up: vector, entities, relations, and the graph hears of it', async () => {
  const memory = await whileDown(() => tenant.add({ content: 'met Anna with Bert', waitFor: 'graph' }))
  expect((await receipt(memory.id)).owed).toEqual(['embedding', 'entities'])
  expect(await reembed(here.deps)()).toEqual({ memories: 1 })
  for (let i = 0; i < 3; i++) await sweep(here.deps)
  expect((await receipt(memory.id)).owed).toEqual([])
  expect(await tenant.found({ query: 'met Anna with Bert', mode: 'vector', threshold: 0.9999 })).toEqual([memory.id])
  const now = (await tenant.get(`/v1/memories/${memory.id}`)).json.memory
  expect([now.version, now.entities.map((e: any) => e.value)]).toEqual([1, ['Anna', 'Bert']])
  const { edges } = (await tenant.post('/v1/graph/query', { start: { value: 'Anna' }, via: ['knows'] })).json
  expect(edges.map((e: any) => e.properties.type)).toEqual(['knows'])
  expect(await reembed(here.deps)()).toEqual({ memories: 0 })
})

test('a model that is still down leaves it owed', async () => {
  const memory = await whileDown(async () => {
    const { id } = await tenant.add({ content: 'Anna' })
    await reembed(here.deps)()
    return id
  })
  expect((await receipt(memory)).owed).toEqual(['embedding', 'entities', 'graph'])
  await reembed(here.deps)()
  expect((await receipt(memory)).owed).toEqual(['graph'])
})

test('a change that was begun before it was made up keeps what was made up', async () => {
  const { id } = await whileDown(() => tenant.add({ content: 'met Anna with Bert' }))
  const { db } = here.deps
  here.deps.db = {
    ...db,
    async asCaller(caller, ranges, statements, options) {
      if (options?.write) {
        here.deps.db = db
        await reembed(here.deps)()
      }
      return db.asCaller(caller, ranges, statements, options)
    },
  }
  const { json } = await tenant.patch(`/v1/memories/${id}`, { importance: 9 })
  expect(here.deps.db).toBe(db)
  expect([json.memory.version, json.memory.importance, json.memory.entities.map((e: any) => e.value)]).toEqual([2, 9, ['Anna', 'Bert']])
  expect(json.receipt.owed).toEqual(['graph'])
  expect(await tenant.found({ query: 'met Anna with Bert', mode: 'vector', threshold: 0.9999 })).toEqual([id])
})

test('what changed meanwhile keeps what the change brought', async () => {
  const { id } = await whileDown(() => tenant.add({ content: 'Anna' }))
  const [, patched] = await Promise.all([reembed(here.deps)(), tenant.patch(`/v1/memories/${id}`, { content: 'Bert' })])
  expect(patched.status).toBe(200)
  await reembed(here.deps)()
  const { memory } = (await tenant.get(`/v1/memories/${id}`)).json
  expect([memory.content, memory.entities.map((e: any) => e.value)]).toEqual(['Bert', ['Bert']])
  expect(await tenant.found({ query: 'Bert', mode: 'vector', threshold: 0.9999 })).toEqual([id])
})

test('a vector that comes late answers for the text it was made from, then and now', async () => {
  const { id, updatedAt } = await tenant.add({ content: 'tea', extractEntities: false })
  here.pass(1000)
  const { json } = await whileDown(() => tenant.patch(`/v1/memories/${id}`, { speaker: 'Anna' }))
  await reembed(here.deps)()
  const found = (asOf: string, query: string) => tenant.found({ asOf, query, mode: 'vector', threshold: 0.9999 })
  expect([await found(updatedAt, 'tea'), await found(updatedAt, 'Anna: tea')]).toEqual([[id], []])
  expect([await found(json.memory.updatedAt, 'tea'), await found(json.memory.updatedAt, 'Anna: tea')]).toEqual([[], [id]])
})

test('deleted memories owe nothing, so they hold up nobody; restored ones owe again', async () => {
  const deleted = await whileDown(async () => {
    const { id } = await tenant.add({ content: 'gone', extractEntities: false })
    await tenant.del(`/v1/memories/${id}`)
    return id
  })
  const waiting = await here.owner(`select * from twofold.tenants_with('models', now(), 100)`)
  expect(waiting.map((row) => row.tenant)).not.toContain(tenant.id)
  await tenant.post(`/v1/memories/${deleted}/restore`)
  expect((await receipt(deleted)).owed).toContain('embedding')
  await reembed(here.deps)()
  expect((await receipt(deleted)).owed).not.toContain('embedding')
})
