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

const given = { userId: 'alice', title: 'Send the report', owner: 'Bob', extractEntities: false }
const promise = async (more: object = {}) => {
  const { status, json, text } = await tenant.post('/v1/commitments', { ...given, ...more })
  if (status !== 201) throw new Error(text)
  return json.memory
}
const titles = async (query = ''): Promise<string[]> =>
  (await tenant.get(`/v1/commitments${query}`)).json.items.map((m: { title: string }) => m.title)
const reopen = (id: string, body: object = {}, ask?: Ask) => tenant.post(`/v1/commitments/${id}/reopen`, body, ask)
const complete = (id: string, body: object = {}, ask?: Ask) => tenant.post(`/v1/commitments/${id}/complete`, body, ask)

describe('a commitment', () => {
  test('says who will do what until when, and is open', async () => {
    const memory = await promise({ dueAt: '2026-05-08T12:00:00+02:00', about: [{ type: 'person', value: 'Grace' }] })
    expect(memory).toMatchObject({
      ...{ kind: 'commitment', title: 'Send the report', owner: 'Bob', dueAt: '2026-05-08T10:00:00.000Z' },
      ...{ status: 'open', outcome: null, completedAt: null, content: 'Send the report\nOwner: Bob\nDue: 8 May 2026' },
    })
    expect((await tenant.get('/v1/commitments?userId=alice')).json.items).toEqual([memory])
  })

  test('is listed by status, owner and when it is due; what is overdue is open too', async () => {
    await promise({ title: 'late', dueAt: '2000-01-01T00:00:00Z' })
    await promise({ title: 'party', dueAt: '2999-01-01T00:00:00Z', owner: 'Carl' })
    await promise({ title: 'some day' })
    await promise({ title: 'old news', status: 'completed', outcome: 'done', dueAt: '1999-01-01T00:00:00Z' })
    expect(await titles('?status=open')).toEqual(['late', 'party', 'some day'])
    expect(await titles('?status=overdue')).toEqual(['late'])
    expect(await titles('?status=completed')).toEqual(['old news'])
    expect(await titles('?owner=Carl')).toEqual(['party'])
    expect(await titles('?dueBefore=2000-01-01T00:00:00Z')).toEqual(['old news'])
    expect(await titles('?dueBefore=2000-01-01T01:00:00%2B01:00&status=open')).toEqual([])
    expect(await titles('?dueBefore=2000-01-01T00:00:00.001Z&status=open')).toEqual(['late'])
    expect(await titles('?dueBefore=1999-06-01T00:00:00Z&status=overdue')).toEqual([])
    expect(await titles('?status=overdue&dueBefore=2999-06-01T00:00:00Z')).toEqual(['late'])
    expect(await titles('?userId=bob')).toEqual([])
    here.pass(1000 * 365 * 24 * 3600_000)
    expect(await titles('?status=overdue')).toEqual(['late', 'party'])
    here.pass(-1000 * 365 * 24 * 3600_000)
  })

  test('is completed with an outcome, as its next version, which is found by it', async () => {
    const { id } = await promise({ about: [{ type: 'person', value: 'Grace' }] })
    const { status, json, headers } = await complete(id, { outcome: 'Sent on Friday' })
    expect([status, headers.get('etag')]).toEqual([200, '"2"'])
    expect(json.memory).toMatchObject({
      ...{ status: 'completed', outcome: 'Sent on Friday', completedAt: expect.any(String), version: 2, title: 'Send the report' },
      content: 'Send the report\nOwner: Bob\nOutcome: Sent on Friday',
      entities: expect.arrayContaining([expect.objectContaining({ value: 'Grace', about: true })]),
    })
    expect(await titles('?status=open')).toEqual([])
    expect(await titles('?status=completed')).toEqual(['Send the report'])
    expect(await tenant.found({ query: 'friday', mode: 'text' })).toEqual([id])
    const [last, first] = (await tenant.get(`/v1/memories/${id}/history`)).json.items
    expect([last.action, last.memory.status, first.memory.status]).toEqual(['commitments.complete', 'completed', 'open'])
    await tenant.post(`/v1/memories/${id}/restore`, { version: 1 })
    expect(await titles('?status=open')).toEqual(['Send the report'])
  })

  test('is completed once: later ones are refused, and of eight at once one does it', async () => {
    const { id } = await promise()
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => complete(id, { outcome: `by ${i}` })))
    expect(all.map((answer) => answer.status).sort()).toEqual([200, ...Array(7).fill(409)])
    expect(new Set(all.filter(({ status }) => status === 409).map(({ json }) => json.code))).toEqual(new Set(['conflict']))
    const { version, outcome } = (await tenant.get(`/v1/memories/${id}`)).json.memory
    expect([version, outcome]).toEqual([2, all.find(({ status }) => status === 200)?.json.memory.outcome])
    expect((await complete(id)).json.code).toBe('conflict')
  })

  test('completed again with the same idempotency key is the first answer again', async () => {
    const { id } = await promise()
    const headers = { 'idempotency-key': randomUUID() }
    const first = await complete(id, { outcome: 'sent' }, { headers })
    const again = await complete(id, { outcome: 'sent' }, { headers })
    expect([again.status, again.headers.get('idempotency-replayed'), again.json.memory]).toEqual([200, 'true', first.json.memory])
    expect((await complete(id, { outcome: 'other' }, { headers })).json.code).toBe('idempotency_mismatch')
  })

  test('can be put off, and is not completed by a change', async () => {
    const { id } = await promise({ dueAt: '2000-01-01T00:00:00Z' })
    const { memory } = (await tenant.patch(`/v1/memories/${id}`, { dueAt: '2999-01-01T00:00:00Z', owner: 'Carl' })).json
    expect(memory).toMatchObject({ dueAt: '2999-01-01T00:00:00.000Z', owner: 'Carl', status: 'open' })
    expect(await titles('?status=overdue')).toEqual([])
    expect((await tenant.patch(`/v1/memories/${id}`, { dueAt: null })).json.memory.dueAt).toBeNull()
    expect((await tenant.patch(`/v1/memories/${id}`, { status: 'completed' })).json.errors[0].path).toBe('status')
  })

  test('is opened again, due when it was or later, and what came of it stays in its history', async () => {
    const { id } = await promise({ dueAt: '2999-01-01T00:00:00Z', about: [{ type: 'person', value: 'Grace' }] })
    await complete(id, { outcome: 'Sent on Friday' })
    const { status, json, headers } = await reopen(id, { reason: 'It bounced' })
    expect([status, headers.get('etag')]).toEqual([200, '"3"'])
    expect(json.memory).toMatchObject({
      ...{ status: 'open', outcome: null, completedAt: null, version: 3, dueAt: '2999-01-01T00:00:00.000Z' },
      content: 'Send the report\nOwner: Bob\nDue: 1 January 2999',
      entities: expect.arrayContaining([expect.objectContaining({ value: 'Grace', about: true })]),
    })
    expect([await titles('?status=open'), await titles('?status=completed')]).toEqual([['Send the report'], []])
    expect(await tenant.found({ query: 'friday', mode: 'text' })).toEqual([])
    const [last, before] = (await tenant.get(`/v1/memories/${id}/history`)).json.items
    expect([last.action, last.reason, before.memory.outcome]).toEqual(['commitments.reopen', 'It bounced', 'Sent on Friday'])
    expect((await reopen(id)).json.code).toBe('conflict')
    expect((await complete(id)).status).toBe(200)
    expect((await reopen(id, { dueAt: '2000-01-01T00:00:00Z' })).json.memory.dueAt).toBe('2000-01-01T00:00:00.000Z')
    expect(await titles('?status=overdue')).toEqual(['Send the report'])
    await complete(id)
    expect((await reopen(id, { dueAt: null })).json.memory.dueAt).toBeNull()
  })

  test('is opened again once, of four who want to at once', async () => {
    const { id } = await promise({ status: 'completed' })
    const all = await Promise.all(Array.from({ length: 4 }, () => reopen(id)))
    expect(all.map((answer) => answer.status).sort()).toEqual([200, 409, 409, 409])
    const note = await tenant.add({ content: 'x' })
    expect((await reopen(note.id)).json.code).toBe('not_found')
    const narrow = await tenant.keyFor(['memories:write'], ['user:bob'])
    expect((await reopen(id, {}, { key: narrow })).json.code).toBe('not_found')
  })

  test('that was told of in the words of a memory is open until it is completed', async () => {
    const { id } = await tenant.add({ content: 'I will call Grace.', kind: 'commitment' })
    expect((await tenant.get('/v1/commitments?status=open')).json.items).toMatchObject([{ content: 'I will call Grace.', status: 'open' }])
    expect((await complete(id, { outcome: 'called' })).json.memory).toMatchObject({ content: 'I will call Grace.', outcome: 'called' })
  })

  test('that is unknown, no commitment, deleted, or out of sight cannot be completed', async () => {
    const note = await tenant.add({ content: 'x' })
    const mine = await promise()
    const narrow = await tenant.keyFor(['memories:write'], ['user:bob'])
    const answers = [
      await complete(randomUUID()),
      await complete(note.id),
      await complete(mine.id, {}, { key: narrow }),
      await complete(mine.id, {}, { key: (await here.tenant()).key }),
    ]
    await tenant.del(`/v1/memories/${mine.id}`)
    answers.push(await complete(mine.id))
    expect(answers.map(({ json }) => json.code)).toEqual(Array(5).fill('not_found'))
    expect((await complete(mine.id, {}, { key: await tenant.keyFor(['memories:read'], ['*']) })).json.code).toBe('forbidden')
  })
})

const paths = (json: any) => [...new Set((json.errors ?? []).map((e: { path: string }) => e.path))]

test.each([
  [{ title: undefined }, 'title'],
  [{ title: '\t' }, 'title'],
  [{ owner: undefined }, 'owner'],
  [{ owner: 'x'.repeat(256) }, 'owner'],
  [{ dueAt: 'tomorrow' }, 'dueAt'],
  [{ dueAt: '300000-01-01T00:00:00Z' }, 'dueAt'],
  [{ dueAt: '0000-01-01T00:00:00Z' }, 'dueAt'],
  [{ status: 'overdue' }, 'status'],
  [{ outcome: 'sent' }, 'outcome'],
  [{ status: 'completed', outcome: '' }, 'outcome'],
  [{ rationale: 'x' }, 'rationale'],
  [{ completedAt: '2026-01-01T00:00:00Z' }, 'completedAt'],
])('%j is refused by name', async (wrong, path) => {
  const { status, json } = await tenant.post('/v1/commitments', { ...given, ...wrong })
  expect([status, paths(json)]).toEqual([400, [path]])
})

test.each([
  ['?status=late', 'status'],
  ['?dueBefore=soon', 'dueBefore'],
  ['?owner=', 'owner'],
  ['?limit=501', 'limit'],
  ['?due=x', 'due'],
])('a list with %s is refused by name', async (query, path) => {
  const { status, json } = await tenant.get(`/v1/commitments${query}`)
  expect([status, paths(json)]).toEqual([400, [path]])
})

test.each([
  ['x', {}, 'id'],
  [randomUUID(), { outcome: 7 }, 'outcome'],
  [randomUUID(), { outcome: ' ' }, 'outcome'],
  [randomUUID(), { status: 'completed' }, 'status'],
])('completing %s with %j is refused by name', async (id, body, path) => {
  const { status, json } = await complete(id, body)
  expect([status, paths(json)]).toEqual([400, [path]])
})

test.each([
  ['x', {}, 'id'],
  [randomUUID(), { dueAt: 'soon' }, 'dueAt'],
  [randomUUID(), { reason: '' }, 'reason'],
  [randomUUID(), { status: 'open' }, 'status'],
])('opening %s again with %j is refused by name', async (id, body, path) => {
  const { status, json } = await reopen(id, body)
  expect([status, paths(json)]).toEqual([400, [path]])
})
