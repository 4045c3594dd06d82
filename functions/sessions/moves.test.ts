import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Ask, sweep, type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const start = (more: object = {}) => tenant.post('/v1/sessions', { id: 'today', appName: 'assistant', userId: 'alice', ...more })
const move = (status: string, ask?: Ask) => tenant.patch('/v1/sessions/today', { status }, ask)
const session = async () => (await tenant.get('/v1/sessions/today')).json.session
const remove = (ask?: Ask) => tenant.del('/v1/sessions/today', ask)
const relayed = async () => {
  for (let i = 0; i < 3; i++) await sweep(here.deps)
}
const shown = () => here.deps.graph.counts(tenant.id, { generations: [1] })

const STATUSES = ['created', 'active', 'paused', 'terminated', 'archived'] as const
const WAYS: Record<string, string[]> = {
  created: [],
  active: ['active'],
  paused: ['active', 'paused'],
  terminated: ['terminated'],
  archived: ['terminated', 'archived'],
}
const ALLOWED = [
  ...[
    'created active',
    'active paused',
    'paused active',
    'created terminated',
    'active terminated',
    'paused terminated',
    'terminated archived',
  ],
]

describe('a session', () => {
  test.each(STATUSES.flatMap((from) => STATUSES.map((to) => [from, to] as const)))('that is %s and shall become %s', async (from, to) => {
    await start()
    for (const step of WAYS[from] as string[]) expect((await move(step)).status).toBe(200)
    const before = await session()
    expect(before.status).toBe(from)
    const { status, json, headers } = await move(to)
    if (!ALLOWED.includes(`${from} ${to}`)) {
      expect([status, json.code, json.currentStatus]).toEqual([409, 'invalid_transition', from])
      return expect(await session()).toEqual(before)
    }
    expect([status, headers.get('etag')]).toEqual([200, `"${before.version + 1}"`])
    expect(json.session).toEqual({
      ...before,
      ...{ status: to, version: before.version + 1, updatedAt: expect.any(String) },
      terminatedAt: to === 'terminated' ? json.session.updatedAt : before.terminatedAt,
      archivedAt: to === 'archived' ? json.session.updatedAt : null,
    })
  })

  test('moves from the version that the caller saw, once for each idempotency key, and of many at once one moves it', async () => {
    await start()
    expect((await move('active', { headers: { 'if-match': '"7"' } })).json).toMatchObject({ code: 'version_mismatch', currentVersion: 1 })
    const headers = { 'idempotency-key': randomUUID(), 'if-match': '"1"' }
    const first = await move('active', { headers })
    const again = await move('active', { headers })
    expect([again.headers.get('idempotency-replayed'), again.json]).toEqual(['true', first.json])
    const all = await Promise.all(Array.from({ length: 8 }, () => move('paused')))
    expect(all.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(409)])
    expect((await tenant.post('/v1/sessions/today/terminate', {}, { headers: { 'if-match': '"1"' } })).status).toBe(412)
    expect((await move('flying')).json.errors).toMatchObject([{ path: 'status' }])
    const actions = await here.owner(
      `select action from twofold.audit_log a join twofold.tenants t on t.id = a.tenant_id where t.uuid = $1 and a.outcome = 'ok' and action not like '%.get' order by a.id`,
      [tenant.id],
    )
    expect(actions.map((row) => row.action)).toEqual(['sessions.start', 'sessions.update_status', 'sessions.update_status'])
  })

  test('is shown by the graph in the status it has, which no event changes', async () => {
    await start()
    const memory = await tenant.add({ content: 'x', sessionId: 'today', extractEntities: false, waitFor: 'graph' })
    await relayed()
    const seen = async () =>
      (await tenant.post('/v1/graph/query', { start: { memoryId: memory.id }, via: ['PRODUCED'], hops: 1 })).json.nodes[1]?.status
    for (const status of ['active', 'terminated', 'archived']) {
      if (status === 'terminated') await tenant.post('/v1/sessions/today/events', { event: {}, stateDelta: { x: 1 } })
      await move(status)
      await relayed()
      expect(await seen()).toBe(status)
    }
    const check = await tenant.post('/api/persistence/sync', { operation: 'check', deep: true })
    expect(check.json.result).toMatchObject({ inconsistencies: [] })
  })
})

describe('a deletion', () => {
  test('takes the session and its events, and leaves its memories, which know no session any more', async () => {
    await start({ state: { 'user:kept': 1 } })
    await tenant.post('/v1/sessions/today/events', { event: {} })
    const add = (content: string, more: object = {}) =>
      tenant.add({ content, sessionId: 'today', taskId: 'search', extractEntities: false, waitFor: 'graph', ...more })
    const memory = await add('mine')
    const theirs = await add('theirs', { namespace: 'user:bob' })
    await relayed()
    expect(await shown()).toMatchObject({ sessions: 1, memories: 2, edges: 1 })
    expect((await remove()).json).toEqual({ deleted: true })
    await relayed()
    expect(await shown()).toMatchObject({ sessions: 0, memories: 2, edges: 0 })
    for (const path of ['', '/events', '/state/x']) expect((await tenant.get(`/v1/sessions/today${path}`)).status).toBe(404)
    const kept = (await tenant.get(`/v1/memories/${memory.id}`)).json.memory
    expect(kept).toEqual({ ...memory, sessionId: null, version: 2, updatedBy: kept.updatedBy, updatedAt: expect.any(String) })
    const { items } = (await tenant.get(`/v1/memories/${memory.id}/history`)).json
    expect(items.map((v: any) => v.reason ?? null)).toEqual(['its session was deleted', null])
    expect(await tenant.found({ query: 'mine' })).toEqual([memory.id])
    // It was never linked: it is of another subject.
    expect((await tenant.get(`/v1/memories/${theirs.id}`)).json.memory.sessionId).toBe('today')
    expect((await start()).status).toBe(201)
    await relayed()
    expect(await shown()).toMatchObject({ sessions: 1, memories: 2, edges: 0 })
    expect((await session()).state).toEqual({ 'user:kept': 1 })
    const check = await tenant.post('/api/persistence/sync', { operation: 'check', deep: true })
    expect(check.json.result).toMatchObject({ inconsistencies: [] })
  })

  test('unlinks more memories than one transaction takes', { timeout: 60_000 }, async () => {
    await start()
    const items = Array.from({ length: 500 }, (_, i) => ({
      userId: 'alice',
      content: `fact ${i}`,
      sessionId: 'today',
      extractEntities: false,
    }))
    for (const part of [items, items.slice(0, 3)])
      expect((await tenant.post('/v1/memories/batch', { items: part })).json.items.every((item: any) => item.ok)).toBe(true)
    expect((await remove()).json).toEqual({ deleted: true })
    const rows = await here.owner(
      `select m.session_id, m.version, count(*) as n from twofold.memories m join twofold.tenants t on t.id = m.tenant_id where t.uuid = $1 group by 1, 2`,
      [tenant.id],
    )
    expect(rows).toEqual([{ session_id: null, version: '2', n: '503' }])
  })

  test('is refused for what is not there, not seen or not at that version, and told the same when it is sent again', async () => {
    expect((await remove()).json.code).toBe('not_found')
    await start()
    const bob = await tenant.keyFor(['sessions:write'], ['user:bob'])
    expect((await remove({ key: bob })).json.code).toBe('not_found')
    expect((await remove({ headers: { 'if-match': '"2"' } })).json).toMatchObject({ code: 'version_mismatch', currentVersion: 1 })
    const headers = { 'idempotency-key': randomUUID(), 'if-match': '"1"' }
    for (const replayed of [null, 'true']) {
      const { status, headers: answered, json } = await remove({ headers })
      expect([status, answered.get('idempotency-replayed'), json]).toEqual([200, replayed, { deleted: true }])
    }
    expect((await remove()).json.code).toBe('not_found')
  })

  test('of many at once one happens, and an append at the same time happens before it or not at all', async () => {
    await start()
    const answers = await Promise.all([
      ...Array.from({ length: 6 }, () => remove()),
      ...Array.from({ length: 6 }, () => tenant.post('/v1/sessions/today/events', { event: {} })),
    ])
    expect(
      answers
        .slice(0, 6)
        .map(({ status }) => status)
        .sort(),
    ).toEqual([200, ...Array(5).fill(404)])
    expect(answers.slice(6).every(({ status }) => status === 200 || status === 404)).toBe(true)
  })
})
