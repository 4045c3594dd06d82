import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
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

const given = { userId: 'alice', name: 'Standup', description: 'Daily at nine', extractEntities: false }
const record = (more: object = {}, ask?: Ask) => tenant.post('/v1/patterns', { ...given, ...more }, ask)
const items = async (query = ''): Promise<any[]> => (await tenant.get(`/v1/patterns${query}`)).json.items

describe('a pattern that is recorded again', () => {
  test('has happened once more, or as often as is said, as its next version', async () => {
    const first = await record({ confidence: 0.5, tags: ['work'], about: [{ type: 'person', value: 'Ada' }] })
    expect([first.status, first.json.memory.occurrences, first.json.memory.version]).toEqual([201, 1, 1])
    const again = await record({ name: ' standup!' })
    expect([again.status, again.headers.get('etag')]).toEqual([200, '"2"'])
    expect(again.json.memory).toMatchObject({
      id: first.json.memory.id,
      occurrences: 2,
      confidence: 0.5,
      tags: ['work'],
      version: 2,
      name: 'Standup',
    })
    const more = await record({ occurrences: 5, confidence: 0.9, about: [{ type: 'person', value: 'Bert' }] })
    expect(more.json.memory).toMatchObject({ occurrences: 7, confidence: 0.9, name: 'Standup' })
    expect(more.json.memory.entities.map((e: any) => [e.value, e.about])).toEqual([
      ['Bert', true],
      ['Ada', true],
    ])
    expect(await items()).toEqual([more.json.memory])
  })

  test('in other words is found by these', async () => {
    const { id } = (await record()).json.memory
    await record({ description: 'Now at ten, in the kitchen' })
    expect(await tenant.found({ query: 'kitchen', mode: 'text' })).toEqual([id])
    expect(await tenant.found({ query: 'nine', mode: 'text' })).toEqual([])
    const history = (await tenant.get(`/v1/memories/${id}/history`)).json.items
    expect(history.map((version: any) => [version.action, version.memory.occurrences])).toEqual([
      ['patterns.record', 2],
      ['memories.add', 1],
    ])
  })

  test('by many at once is made by one and counted for all', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => record()))
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(7).fill(200), 201])
    expect((await items()).map((item) => item.occurrences)).toEqual([8])
  })

  test('with the same idempotency key is counted once', async () => {
    const keys = [randomUUID(), randomUUID()]
    const answers: any[] = []
    for (const key of [...keys, ...keys]) answers.push(await record({}, { headers: { 'idempotency-key': key } }))
    expect(answers.map(({ status, json }) => [status, json.memory.occurrences])).toEqual([
      [201, 1],
      [200, 2],
      [201, 1],
      [200, 2],
    ])
    expect(answers.map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, null, 'true', 'true'])
    expect((await items())[0].occurrences).toBe(2)
  })

  test('elsewhere, under a key of its own, after its deletion or by another name is another one', async () => {
    await record()
    const others = [
      await record({ userId: 'bob' }),
      await record({ userId: undefined, namespace: 'user:alice:work' }),
      await record({ key: 'mine' }),
      await record({ id: randomUUID() }),
      await record({ name: 'Standup 2' }),
    ]
    expect(others.map(({ status, json }) => [status, json.memory.occurrences])).toEqual(Array(5).fill([201, 1]))
    expect((await record({ key: 'mine' })).json.code).toBe('conflict')
    const [first] = await items('?namespace=user:alice')
    await tenant.del(`/v1/memories/${first.id}`)
    const anew = await record()
    expect([anew.status, anew.json.memory.occurrences, anew.json.memory.id === first.id]).toEqual([201, 1, false])
  })

  test('of any name there can be is known again', async () => {
    for (const name of ['C++', '🎉', '//', 'x'.repeat(500), '漢字'.repeat(200), "'; drop table memories; --", 'a/b']) {
      expect((await record({ name })).status).toBe(201)
      expect((await record({ name })).json.memory).toMatchObject({ name, occurrences: 2 })
    }
  })

  test('is not made or counted by who may not write there', async () => {
    await record()
    const key = await tenant.keyFor(['memories:write'], ['user:bob'])
    expect((await record({}, { key })).json.code).toBe('forbidden')
    expect((await record({}, { key: await tenant.keyFor(['memories:read'], ['*']) })).json.code).toBe('forbidden')
    expect((await items())[0].occurrences).toBe(1)
  })
})
