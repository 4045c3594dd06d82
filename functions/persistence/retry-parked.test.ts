import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { sweep, type Tenant, type World, world } from '../fixture.ts'
import { poison } from '../schedules/poison.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const HOUR = 3600_000
const settle = async () => {
  for (let i = 0; i < 3; i++) await sweep(here.deps)
}
/** Until the writers give up. */
const untilParked = () =>
  here.withGraph('refusing', async () => {
    for (let i = 0; i < 6; i++) {
      await settle()
      here.pass(60_000)
    }
  })
const parkedOne = async (namespace = 'user:alice') => {
  const { id } = await tenant.add({ namespace, content: 'poison', extractEntities: false })
  await untilParked()
  return id
}
const status = async (key?: string) => (await tenant.get('/api/persistence/status', key ? { key } : {})).json
const stats = async () => (await tenant.get('/api/persistence/sync')).json.stats
const retry = (id: string, key?: string) => tenant.post(`/api/persistence/parked/${id}/retry`, {}, key ? { key } : {})
const sync = async (body: object) => (await tenant.post('/api/persistence/sync', body)).json
const drift = () =>
  here.owner(
    `select kind, what, thing, parked, run_id is null as of_no_run, repaired_at is not null as repaired from twofold.drift d
      join twofold.tenants t on t.id = d.tenant_id where t.uuid = '${tenant.id}' order by found_at, thing`,
  )

test('what the graph refuses to the end is parked, and with that named in the drift and in the status', async () => {
  const id = await parkedOne()
  expect(await drift()).toEqual([{ kind: 'missing', what: 'memory', thing: id, parked: 't', of_no_run: 't', repaired: 'f' }])
  expect(await status()).toMatchObject({
    status: 'degraded',
    metrics: { deadLetters: 1, owedGraphWrites: 1 },
    parked: [{ id, kind: 'memory', failure: expect.stringMatching(/^apply failed/), since: expect.stringMatching(/Z$/) }],
  })
  expect((await stats()).drift).toEqual({ open: 1, repaired: 0 })
})

test('what the graph shows in an older version is named as stale, and an entity like a memory', async () => {
  const { id } = await tenant.add({ content: 'met Anna', waitFor: 'graph' })
  await tenant.patch(`/v1/memories/${id}`, { content: 'poison' })
  await tenant.post('/v1/graph/entities', { entities: [{ type: 'person', value: 'Zoe', subject: 'user:alice' }] })
  await here.withGraph('refusing', async () => {
    await tenant.patch(`/v1/memories/${id}`, { content: 'poison again' })
    await tenant.post('/v1/graph/entities', { entities: [{ type: 'person', value: 'Bert', subject: 'user:alice' }] })
  })
  await untilParked()
  const named = (await drift()).map(({ kind, what }) => `${kind} ${what}`)
  expect(named).toContain('stale memory')
  expect(named).toContain('missing entity')
  expect((await status()).parked.map((one: any) => one.kind).sort()).toEqual(expect.arrayContaining(['entity', 'memory']))
})

test('at most ten are named, and of them only what the key may see', async () => {
  for (let i = 0; i < 11; i++) await tenant.add({ content: `poison ${i}`, extractEntities: false })
  const bobs = await parkedOne('user:bob')
  const all = await status()
  expect([all.metrics.deadLetters, all.parked.length]).toEqual([12, 10])
  const narrow = await status(await tenant.keyFor(['sync'], ['user:bob']))
  expect([narrow.metrics.deadLetters, narrow.parked.map((one: any) => one.id)]).toEqual([12, [bobs]])
})

test('a parked thing is offered again by its id: shown, and the drift is closed', async () => {
  const id = await parkedOne()
  const answer = await retry(id)
  expect([answer.status, answer.json]).toEqual([200, { id, kind: 'memory', state: 'shown', failure: null, since: null }])
  expect(await drift()).toMatchObject([{ thing: id, repaired: 't' }])
  expect(await status()).toMatchObject({ status: 'healthy', metrics: { deadLetters: 0, owedGraphWrites: 0 }, parked: [] })
  expect((await stats()).drift).toEqual({ open: 0, repaired: 1 })
  expect((await retry(id)).json.code).toBe('not_found')
})

test('one that the graph refuses again is parked again, by the first attempt, and stays open', async () => {
  const id = await parkedOne()
  const before = (await status()).parked[0].since
  here.pass(1000)
  await here.withGraph('refusing', async () => {
    const { json } = await retry(id)
    expect(json).toMatchObject({ id, state: 'parked', failure: expect.stringMatching(/^apply failed/) })
    expect(Date.parse(json.since)).toBeGreaterThan(Date.parse(before))
  })
  expect(await drift()).toMatchObject([{ thing: id, parked: 't', repaired: 'f' }])
})

test('one that is offered to a graph out of reach is owed, and comes in once the graph is back', async () => {
  const id = await parkedOne()
  await here.withGraph('down', async () => expect((await retry(id)).json).toMatchObject({ id, state: 'owed' }))
  expect(await drift()).toMatchObject([{ thing: id, repaired: 'f' }])
  await settle()
  expect(await drift()).toMatchObject([{ thing: id, repaired: 't' }])
})

test('nothing else can be retried: what is not parked, what nobody knows, what another key or tenant may see', async () => {
  const id = await parkedOne()
  const shown = await tenant.add({ content: 'fine', waitFor: 'graph' })
  const codes = [
    await retry(shown.id),
    await retry('01900000-0000-7000-8000-000000000000'),
    await retry(id, await tenant.keyFor(['sync'], ['user:bob', 'user:al'])),
    await retry(id, (await here.tenant()).key),
  ].map(({ status, json }) => [status, json.code])
  expect(codes).toEqual(Array(4).fill([404, 'not_found']))
  expect((await retry(id, await tenant.keyFor(['memories:write'], ['*']))).json.code).toBe('forbidden')
  expect((await retry('not-an-id')).json.errors[0].path).toBe('id')
  expect((await retry(id, await tenant.keyFor(['sync'], ['user:alice']))).json.state).toBe('shown')
})

test('whoever changes it offers it again as well', async () => {
  const id = await parkedOne()
  await tenant.patch(`/v1/memories/${id}`, { content: 'fine now' })
  expect(await status()).toMatchObject({ metrics: { deadLetters: 0, owedGraphWrites: 1 }, parked: [] })
  expect((await stats()).drift.open).toBe(1)
  await settle()
  expect((await stats()).drift).toEqual({ open: 0, repaired: 1 })
})

test.each(['check', 'deep check'])('a %s reports it as an inconsistency, and not as on its way, and does not close it', async (how) => {
  const id = await parkedOne()
  await tenant.add({ content: 'on its way', extractEntities: false })
  const { result } = await sync({ operation: 'check', deep: how === 'deep check' })
  expect(result).toMatchObject({
    owed: 1,
    inconsistencies: [{ kind: 'missing', store: 'graph', id, what: 'memory', expected: { revision: 1 }, found: null, remedy: 'project' }],
  })
  expect(await drift()).toMatchObject([{ thing: id, parked: 't', repaired: 'f' }])
  expect((await sync({ operation: 'check', userId: 'bob' })).result.inconsistencies).toEqual([])
})

test('repair offers it again, and says so when that fails', async () => {
  const id = await parkedOne()
  await here.withGraph('refusing', async () => {
    expect(await sync({ operation: 'repair', dryRun: true })).toMatchObject({ result: { repaired: 0, inconsistencies: [{ id }] } })
    expect(await sync({ operation: 'repair' })).toMatchObject({ status: 'partial', result: { repaired: 0, failed: 1 } })
  })
  expect(await drift()).toMatchObject([{ thing: id, parked: 't', repaired: 'f' }])
  expect(await sync({ operation: 'full' })).toMatchObject({ status: 'success', result: { repaired: 1, failed: 0 } })
  expect(await drift()).toMatchObject([{ thing: id, repaired: 't' }])
  expect(await sync({ operation: 'check' })).toMatchObject({ result: { inconsistencies: [], owed: 0 } })
})

test('once a day it is offered again by itself', async () => {
  const id = await parkedOne()
  const since = async () => Date.parse((await status()).parked[0]?.since)
  const first = await since()
  here.pass(23 * HOUR)
  await poison(here.deps)()
  expect(await since()).toBe(first)
  here.pass(HOUR)
  await here.withGraph('refusing', () => poison(here.deps)())
  const second = await since()
  expect(second - first).toBeGreaterThanOrEqual(24 * HOUR)
  here.pass(23 * HOUR)
  await poison(here.deps)()
  expect(await since()).toBe(second)
  here.pass(HOUR)
  await poison(here.deps)()
  // A graph that is slow to take it leaves it owed, and no longer parked.
  await settle()
  expect(await status()).toMatchObject({ metrics: { deadLetters: 0, owedGraphWrites: 0 } })
  expect(await drift()).toMatchObject([{ thing: id, repaired: 't' }])
})

test('a parked write that is deleted for good leaves nothing parked behind', async () => {
  const id = await parkedOne()
  await tenant.del(`/v1/memories/${id}?hard=true`)
  await settle()
  expect(await drift()).toMatchObject([{ thing: id, repaired: 't' }])
  expect((await status()).parked).toEqual([])
})
