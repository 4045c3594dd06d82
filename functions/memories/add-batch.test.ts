import { randomUUID } from 'node:crypto'
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
  here.provider.fail(null)
})

const batch = (items: unknown[], more: object = {}, headers: Record<string, string> = {}) =>
  tenant.post('/v1/memories/batch', { items, ...more }, { headers })
const of = (content: string, more: object = {}) => ({ userId: 'alice', content, extractEntities: false, ...more })
const contents = async () => (await tenant.get('/v1/memories?limit=500')).json.items.map((m: { content: string }) => m.content)

describe('a batch', () => {
  test('answers each item in order, with its memory and receipt', async () => {
    const { status, json } = await batch([
      of('one', { key: 'k', waitFor: 'graph' }),
      of('two', { namespace: 'project:x', userId: undefined }),
      of('three'),
    ])
    expect(status).toBe(200)
    expect(json.items.map((item: any) => [item.ok, item.memory.content, item.memory.namespace])).toEqual([
      [true, 'one', 'user:alice'],
      [true, 'two', 'project:x'],
      [true, 'three', 'user:alice'],
    ])
    expect(json.items[0].receipt).toMatchObject({ graphWriteSuccess: true, owed: [] })
    expect((await tenant.get(`/v1/memories/${json.items[1].memory.id}`)).json.memory).toEqual(json.items[1].memory)
    expect(await tenant.found({ query: 'three', mode: 'text' })).toEqual([json.items[2].memory.id])
  })

  test('of five hundred is taken whole, one of 501 or none is not', async () => {
    const { json } = await batch(Array.from({ length: 500 }, (_, i) => of(`memory number ${i}`)))
    expect(json.items.filter((item: any, i: number) => item.ok && item.memory.content === `memory number ${i}`).length).toBe(500)
    expect((await contents()).length).toBe(500)
    for (const length of [0, 501]) {
      const { status, json } = await batch(Array.from({ length }, () => of('x')))
      expect([status, json.errors[0].path]).toEqual([400, 'items'])
    }
  })

  test('with bad and taken items stores the others and says of each why', async () => {
    const taken = await tenant.add({ content: 'first', key: 'taken' })
    const { status, json } = await batch([
      of('good'),
      of(''),
      of('second', { key: 'taken' }),
      of('third', { id: taken.id }),
      'no object',
      of('more', { color: 'red', importance: 'high' }),
      of('rolls back', { onGraphFailure: 'rollback' }),
      of('wrong vector', { embedding: [1, 2, 3] }),
      of('good too'),
    ])
    expect(status).toBe(200)
    expect(
      json.items.map((item: any) => item.ok || [item.error.code, item.error.status, item.error.errors?.map((e: any) => e.path)]),
    ).toEqual([
      true,
      ['invalid', 400, ['content']],
      ['conflict', 409, undefined],
      ['conflict', 409, undefined],
      ['invalid', 400, ['body']],
      ['invalid', 400, ['importance', 'color']],
      ['invalid', 400, ['onGraphFailure']],
      ['invalid', 400, ['embedding']],
      true,
    ])
    expect(await contents()).toEqual(['first', 'good', 'good too'])
  })

  test('that names an id or a key twice writes the first and refuses the second', async () => {
    const id = randomUUID()
    const { json } = await batch([
      of('a', { key: 'k' }),
      of('b', { key: 'k' }),
      of('c', { id }),
      of('d', { id: id.toUpperCase() }),
      of('e', { key: 'k', userId: 'bob' }),
    ])
    expect(json.items.map((item: any) => item.ok || item.error.code)).toEqual([true, 'conflict', true, 'conflict', true])
  })

  test('of a model that is down is written all the same, and says what is owed', async () => {
    here.provider.fail('server-error')
    const { json } = await batch([of('one', { extractEntities: true }), of('two')])
    expect(json.items.map((item: any) => item.receipt.owed)).toEqual([
      ['embedding', 'entities', 'graph'],
      ['embedding', 'graph'],
    ])
  })

  test("with the caller's own ids can be sent again without harm", async () => {
    const items = [of('one', { id: randomUUID() }), of('two', { id: randomUUID() })]
    const first = await batch(items)
    const again = await batch([...items, of('three')])
    expect(again.json.items.slice(0, 2).map((item: any) => item.memory)).toEqual(first.json.items.map((item: any) => item.memory))
    expect(await contents()).toEqual(expect.arrayContaining(['one', 'two', 'three']))
    expect((await contents()).length).toBe(3)
  })

  test('over 4 MiB is too large, up to that it is not', async () => {
    const big = (n: number) =>
      JSON.stringify({ items: Array.from({ length: n }, () => of('x'.repeat(99_000), { embedding: Array(64).fill(1) })) })
    expect((await tenant.post('/v1/memories/batch', big(20))).status).toBe(200)
    expect((await tenant.post('/v1/memories/batch', big(43))).status).toBe(413)
  })
})

describe('an atomic batch', () => {
  test('writes all', async () => {
    const { status } = await batch(
      Array.from({ length: 60 }, (_, i) => of(`n ${i}`)),
      { atomic: true },
    )
    expect([status, (await contents()).length]).toEqual([200, 60])
  })

  test.each([
    ['an item is invalid', of('x', { importance: 11 }), 400, 'items.55.importance'],
    ['an item is no object', 7, 400, 'items.55.body'],
    ['an item waits for rollback', of('x', { onGraphFailure: 'rollback' }), 400, 'items.55.onGraphFailure'],
    ['a key is taken', of('x', { key: 'taken' }), 409, null],
    ['a key comes twice', of('x', { key: 'twice' }), 409, null],
  ])('stores nothing when %s, and names the item', async (_, bad, status, path) => {
    await tenant.add({ content: 'before', key: 'taken' })
    const items: unknown[] = Array.from({ length: 60 }, (_, i) => of(`n ${i}`, i === 0 ? { key: 'twice' } : {}))
    items[55] = bad
    const answer = await batch(items, { atomic: true })
    expect([answer.status, answer.json.index]).toEqual([status, 55])
    expect(answer.json.detail).toContain('items.55')
    if (path) expect(answer.json.errors.map((e: any) => e.path)).toEqual([path])
    expect(await contents()).toEqual(['before'])
  })
})

describe('an idempotency key', () => {
  const once = { 'idempotency-key': 'batch-1' }

  test('gives the same items again', async () => {
    const items = Array.from({ length: 70 }, (_, i) => of(i === 3 ? '' : `n ${i}`))
    const first = await batch(items, {}, once)
    const again = await batch(items, {}, once)
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.json.items.map((i: any) => i.memory)).toEqual(first.json.items.map((i: any) => i.memory))
    expect(again.json.items[3]).toMatchObject({ ok: false, error: { code: 'invalid' } })
    expect((await contents()).length).toBe(69)
    expect((await batch(items.slice(1), {}, once)).json.code).toBe('idempotency_mismatch')
  })

  test('of a batch that was cut short goes on where it stopped', async () => {
    const items = Array.from({ length: 70 }, (_, i) => of(`n ${i}`))
    const first = await batch(items, {}, once)
    const lost = first.json.items.slice(50).map((item: any) => item.memory.id)
    // As if the process had died between the two transactions.
    await here.owner('delete from twofold.idempotency_keys where part = 1')
    for (const id of lost) await here.owner('delete from twofold.memories where id = $1', [id])
    const again = await batch(items, {}, once)
    expect(again.json.items.slice(0, 50).map((i: any) => i.memory.id)).toEqual(first.json.items.slice(0, 50).map((i: any) => i.memory.id))
    expect(again.json.items.every((item: any) => item.ok)).toBe(true)
    expect((await contents()).length).toBe(70)
  })

  test('sent by eight twins at once writes once', async () => {
    const items = Array.from({ length: 60 }, (_, i) => of(`n ${i}`))
    const all = await Promise.all(Array.from({ length: 8 }, () => batch(items, {}, once)))
    expect(all.filter(({ status, json }) => status !== 200 && json.code !== 'in_progress')).toEqual([])
    expect(new Set(all.filter(({ status }) => status === 200).map(({ json }) => json.items.map((i: any) => i.memory.id).join())).size).toBe(
      1,
    )
    expect((await contents()).length).toBe(60)
  })
})

describe('a key of the API', () => {
  test('that may not write, or not everywhere the batch goes: nothing is stored', async () => {
    const items = [of('mine'), of('theirs', { userId: 'bob' })]
    for (const [scopes, grants] of [
      [['memories:read'], ['*']],
      [['memories:write'], ['user:alice']],
    ] as const) {
      const key = await tenant.keyFor([...scopes], [...grants])
      expect((await tenant.post('/v1/memories/batch', { items }, { key })).status).toBe(403)
    }
    expect((await tenant.post('/v1/memories/batch', { items }, { key: null })).status).toBe(401)
    expect(await contents()).toEqual([])
  })

  test('with several grants writes to each of them', async () => {
    const key = await tenant.keyFor(['memories:write'], ['user:alice', 'user:bob'])
    const { json } = await tenant.post('/v1/memories/batch', { items: [of('mine'), of('theirs', { userId: 'bob' })] }, { key })
    expect(json.items.map((item: any) => item.ok)).toEqual([true, true])
  })
})
