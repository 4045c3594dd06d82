import type { Memory } from '@twofold/core/memories/memory.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sweep, type Tenant, type World, world } from '../fixture.ts'

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
const DAY = 24 * HOUR
const at = (namespace: string) => `/v1/namespaces/${encodeURIComponent(namespace)}/policy`
const setPolicy = async (namespace: string, body: object = {}, headers = {}) =>
  (await tenant.call('PUT', at(namespace), body, { headers })).json
const policy = async (namespace: string, key?: string) => (await tenant.get(at(namespace), key ? { key } : {})).json.policy
const DEFAULTS = {
  keepVersions: null,
  dailyVersionsAfterDays: null,
  episodicDays: 90,
  tempHours: 24,
  from: null,
  updatedBy: null,
  updatedAt: null,
}
const episode = (more: object = {}) => tenant.add({ content: 'met Anna for tea', type: 'episodic', ...more })
const patch = async (memory: Memory, body: object) => (await tenant.patch(`/v1/memories/${memory.id}`, body)).status
/** Whether it can be read, by each of the ways in which memories are read. */
const readable = async (memory: Memory) => {
  const { id, namespace } = memory
  const ways = [
    (await tenant.get(`/v1/memories/${id}`)).status === 200,
    (await tenant.get(`/v1/memories?namespace=${encodeURIComponent(namespace)}&limit=500`)).json.items.some((m: Memory) => m.id === id),
    (await tenant.found({ query: memory.content, userId: undefined, namespacePrefix: namespace, limit: 50 })).includes(id),
    (
      await tenant.found({ query: memory.content, userId: undefined, namespacePrefix: namespace, asOf: here.deps.now().toISOString() })
    ).includes(id),
  ]
  expect(new Set(ways).size).toBe(1)
  return ways[0]
}
const state = async (memory: Memory) => {
  const [row] = await here.owner('select version, deleted_at is not null as gone from twofold.memories where id = $1', [memory.id])
  return [Number(row?.version), row?.gone]
}

describe('a policy', () => {
  test('is that of the namespace, else the nearest above it, else what holds without any', async () => {
    expect(await policy('user:alice:trips')).toEqual({ namespace: 'user:alice:trips', ...DEFAULTS })
    const { policy: root } = await setPolicy('user', { episodicDays: 7 })
    expect(root).toMatchObject({ namespace: 'user', from: 'user', episodicDays: 7, tempHours: 24, keepVersions: null })
    await setPolicy('user:alice', { keepVersions: 3, episodicDays: null })
    await setPolicy('user:alice:trips:rome', { dailyVersionsAfterDays: 30 })
    expect(await policy('user:alice:trips')).toMatchObject({ from: 'user:alice', keepVersions: 3, episodicDays: null })
    expect(await policy('user:alice:trips:rome:may')).toMatchObject({
      from: 'user:alice:trips:rome',
      dailyVersionsAfterDays: 30,
      keepVersions: null,
      episodicDays: 90,
    })
    expect(await policy('user:alicex')).toMatchObject({ from: 'user', episodicDays: 7 })
    expect(await policy('project:alice')).toMatchObject(DEFAULTS)
    const removed = await tenant.del(at('user:alice'))
    expect([removed.status, removed.json.policy]).toMatchObject([200, { from: 'user', episodicDays: 7 }])
    expect((await tenant.del(at('user:alice'))).status).toBe(404)
  })

  test('is set as a whole, says by whom, is audited, and is set once by one idempotency key', async () => {
    await setPolicy('user:alice', { keepVersions: 3, episodicDays: 5 })
    const { policy: set } = await setPolicy('user:alice', { tempHours: 1 }, { 'idempotency-key': 'p' })
    expect(set).toMatchObject({
      keepVersions: null,
      episodicDays: 90,
      tempHours: 1,
      updatedBy: expect.any(String),
      updatedAt: expect.any(String),
    })
    await setPolicy('user:alice', { tempHours: 2 })
    const again = await tenant.call('PUT', at('user:alice'), { tempHours: 1 }, { headers: { 'idempotency-key': 'p' } })
    expect([again.headers.get('idempotency-replayed'), again.json.policy.tempHours]).toEqual(['true', 2])
    await tenant.del(at('user:alice'))
    const rows = await here.owner(
      `select action, namespace from twofold.audit_log where tenant_id = (select id from twofold.tenants where uuid = $1) order by id`,
      [tenant.id],
    )
    expect(rows.map((row) => `${row.action} ${row.namespace}`)).toEqual([
      ...Array(3).fill('namespaces.put_policy user:alice'),
      'namespaces.delete_policy user:alice',
    ])
  })

  test('is set by those who may write all that it is for', async () => {
    const narrow = await tenant.keyFor(['memories:read', 'memories:write'], ['user:alice'])
    const set = async (namespace: string) => (await tenant.call('PUT', at(namespace), {}, { key: narrow })).status
    expect([await set('user:alice'), await set('user:alice:work'), await set('user'), await set('user:bob')]).toEqual([200, 200, 403, 403])
    const reader = await tenant.keyFor(['memories:read'], ['*'])
    expect((await tenant.call('PUT', at('user:alice'), {}, { key: reader })).status).toBe(403)
    expect((await tenant.del(at('user'), { key: narrow })).status).toBe(403)
    expect((await tenant.get(at('user:bob'), { key: narrow })).status).toBe(403)
    expect((await (await here.tenant()).get(at('user:alice'))).json.policy).toMatchObject(DEFAULTS)
  })

  test.each<[object, string]>([
    [{ keepVersions: 0 }, 'keepVersions'],
    [{ keepVersions: 1.5 }, 'keepVersions'],
    [{ dailyVersionsAfterDays: '30' }, 'dailyVersionsAfterDays'],
    [{ episodicDays: 0 }, 'episodicDays'],
    [{ episodicDays: 36_501 }, 'episodicDays'],
    [{ tempHours: null }, 'tempHours'],
    [{ tempHours: 8761 }, 'tempHours'],
    [{ squash: true }, 'squash'],
  ])('of %j is refused by name', async (body, path) => {
    expect(await setPolicy('user:alice', body)).toMatchObject({ status: 400, errors: [{ path }] })
    expect((await setPolicy('planet:mars', {})).errors[0].path).toBe('namespace')
  })
})

describe('an episode', () => {
  test('ends after 90 days unless it matters, is no episode, or says itself when it ends', async () => {
    const plain = await episode()
    const dull = await episode({ importance: 7.9 })
    const matters = await episode({ importance: 8 })
    const fact = await tenant.add({ content: 'met Anna for tea' })
    const sooner = await episode({ expiresAt: new Date(here.deps.now().getTime() + DAY).toISOString() })
    const later = await episode({ expiresAt: new Date(here.deps.now().getTime() + 200 * DAY).toISOString() })
    const all = async () => Promise.all([plain, dull, matters, fact, sooner, later].map(readable))
    expect(await all()).toEqual([true, true, true, true, true, true])
    here.pass(2 * DAY)
    expect(await all()).toEqual([true, true, true, true, false, true])
    here.pass(88 * DAY)
    expect(await all()).toEqual([false, false, true, true, false, true])
    await sweep(here.deps)
    expect(await Promise.all([plain, dull, matters, fact, sooner, later].map(state))).toEqual([
      [2, 't'],
      [2, 't'],
      [1, 'f'],
      [1, 'f'],
      [2, 't'],
      [1, 'f'],
    ])
    const { items } = (await tenant.get(`/v1/memories/${plain.id}/history`)).json
    expect([items[0].action, items[0].reason]).toEqual(['memories.expire', 'expired'])
  })

  test('lives on from its last change, by what it then is', async () => {
    const [changed, raised, lowered, made, timed, untimed] = [
      await episode(),
      await episode(),
      await episode({ importance: 9 }),
      await tenant.add({ content: 'met Anna for tea' }),
      await episode(),
      await episode({ expiresAt: '2999-01-01T00:00:00Z' }),
    ]
    here.pass(60 * DAY)
    expect(
      await Promise.all([
        patch(changed, { tags: ['x'] }),
        patch(raised, { importance: 8 }),
        patch(lowered, { importance: 2 }),
        patch(made, { type: 'episodic' }),
        patch(timed, { expiresAt: '2999-01-01T00:00:00Z' }),
        patch(untimed, { expiresAt: null }),
      ]),
    ).toEqual(Array(6).fill(200))
    const all = async () => Promise.all([changed, raised, lowered, made, timed, untimed].map(readable))
    here.pass(60 * DAY)
    expect(await all()).toEqual(Array(6).fill(true))
    here.pass(30 * DAY)
    expect(await all()).toEqual([false, true, false, false, true, false])
  })

  test('that has ended comes back with restore, for another 90 days', async () => {
    const memory = await episode()
    here.pass(90 * DAY)
    await sweep(here.deps)
    expect((await tenant.post(`/v1/memories/${memory.id}/restore`)).status).toBe(200)
    expect(await readable(memory)).toBe(true)
    here.pass(90 * DAY)
    expect(await readable(memory)).toBe(false)
  })

  test('ends by the nearest policy, which those that are there hear of at once and those that follow too', async () => {
    await setPolicy('user:alice:diary', { episodicDays: null })
    const [general, diary] = [await episode(), await episode({ namespace: 'user:alice:diary:2026' })]
    here.pass(10 * DAY)
    await setPolicy('user:alice', { episodicDays: 5 })
    const young = await episode()
    expect([await readable(general), await readable(diary), await readable(young)]).toEqual([false, true, true])
    here.pass(6 * DAY)
    expect([await readable(diary), await readable(young)]).toEqual([true, false])
    await tenant.del(at('user:alice:diary'))
    expect(await readable(diary)).toBe(false)
    // What has ended stays so, whatever is said later.
    await setPolicy('user:alice', { episodicDays: null })
    expect([await readable(general), await readable(diary), await readable(young)]).toEqual([false, false, false])
    await sweep(here.deps)
    expect(await state(diary)).toEqual([2, 't'])
  })

  test('of more than a request reaches hears of it in steps', async () => {
    const items = (n: number) =>
      Array.from({ length: n }, (_, i) => ({
        namespace: `user:alice:${i % 7}`,
        content: `e ${i}`,
        type: 'episodic',
        extractEntities: false,
      }))
    for (let i = 0; i < 3; i++) await tenant.post('/v1/memories/batch', { items: items(400) })
    const listed = async () => (await tenant.get('/v1/memories?userId=alice&limit=500')).json.items.length
    here.pass(10 * DAY)
    await setPolicy('user:alice', { episodicDays: 5 })
    expect(await listed()).toBe(200)
    await sweep(here.deps)
    expect(await listed()).toBe(0)
    const left = await here.owner('select 1 from twofold.policy_changes')
    expect(left).toEqual([])
  })
})

describe('what is temporary', () => {
  test('ends after 24 hours, whatever it is, or after the hours of its policy', async () => {
    await setPolicy('temp:long', { tempHours: 48 })
    const [short, long] = [
      await tenant.add({ namespace: 'temp:scratch:a', content: 'note one', importance: 10 }),
      await tenant.add({ namespace: 'temp:long', content: 'note two' }),
    ]
    here.pass(23 * HOUR)
    expect([await readable(short), await readable(long)]).toEqual([true, true])
    here.pass(HOUR)
    expect([await readable(short), await readable(long)]).toEqual([false, true])
    await sweep(here.deps)
    expect(await state(short)).toEqual([2, 't'])
    here.pass(24 * HOUR)
    expect(await readable(long)).toBe(false)
  })

  test.each([
    ['ends', (id: string) => tenant.post(`/v1/sessions/${id}/terminate`)],
    ['is deleted', (id: string) => tenant.del(`/v1/sessions/${id}`)],
  ])('goes when its session %s: what lies in temp:<session> or comes from it, and nothing else', async (_, end) => {
    await tenant.post('/v1/sessions', { id: 's-1', appName: 'test', userId: 'alice' })
    const memories = {
      own: await tenant.add({ namespace: 'temp:s-1', content: 'tea one', expiresAt: '2999-01-01T00:00:00Z' }),
      below: await tenant.add({ namespace: 'temp:s-1:plans', content: 'tea two' }),
      from: await tenant.add({ namespace: 'temp:other', content: 'tea three', sessionId: 's-1' }),
      beside: await tenant.add({ namespace: 'temp:s-10', content: 'tea four' }),
      kept: await tenant.add({ content: 'tea five', sessionId: 's-1' }),
    }
    expect((await end('s-1')).status).toBe(200)
    const left = []
    for (const [name, memory] of Object.entries(memories)) if (await readable(memory)) left.push(name)
    expect(left).toEqual(['beside', 'kept'])
    // Not even by a later policy.
    await setPolicy('temp', { tempHours: 8760 })
    expect(await readable(memories.below)).toBe(false)
    here.pass(1000)
    await sweep(here.deps)
    expect(await state(memories.own)).toEqual([2, 't'])
  })

  test('stays when whoever ends the session may not see it', async () => {
    await tenant.post('/v1/sessions', { id: 's-2', appName: 'test', userId: 'alice' })
    const memory = await tenant.add({ namespace: 'temp:s-2', content: 'tea six' })
    const narrow = await tenant.keyFor(['sessions:write'], ['user:alice'])
    expect((await tenant.post('/v1/sessions/s-2/terminate', {}, { key: narrow })).status).toBe(200)
    expect(await readable(memory)).toBe(true)
  })
})
