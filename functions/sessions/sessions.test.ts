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

const start = (more: object = {}, ask?: Ask) =>
  tenant.post('/v1/sessions', { id: 'today', appName: 'assistant', userId: 'alice', ...more }, ask)
const read = async (id = 'today', key?: string) => (await tenant.get(`/v1/sessions/${id}`, key ? { key } : {})).json
const end = (id = 'today', ask?: Ask) => tenant.post(`/v1/sessions/${id}/terminate`, {}, ask)
const remember = (content: string, more: object = {}) =>
  tenant.add({ content, extractEntities: false, sessionId: 'today', waitFor: 'graph', ...more })
const relayed = async () => {
  for (let i = 0; i < 3; i++) await sweep(here.deps)
}
/** What hangs together with a memory over its session. */
const around = async (memoryId: string, key?: string) =>
  (await tenant.post('/v1/graph/query', { start: { memoryId }, via: ['PRODUCED'], hops: 2 }, key ? { key } : {})).json

describe('a session', () => {
  test('is started with what it is for, and read by the id that the caller gave it', async () => {
    const given = { projectId: 'p1', state: { 'session:step': 1, 'temp:draft': 'x', plain: [true] }, metadata: { a: 1 } }
    const { status, json, headers } = await start(given)
    expect([status, headers.get('etag')]).toEqual([201, '"1"'])
    expect(json.session).toEqual({
      ...{ id: 'today', appName: 'assistant', userId: 'alice', ...given, status: 'created', eventCount: 0, version: 1 },
      ...{ createdAt: expect.any(String), updatedAt: json.session.createdAt, terminatedAt: null, archivedAt: null },
    })
    expect(await read()).toEqual(json)
    expect((await start({ id: undefined, userId: undefined })).json.session.id).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('of a known id is a conflict, whoever had it first', async () => {
    await start()
    expect((await start()).json.code).toBe('conflict')
    expect((await start({ userId: 'bob' })).json.code).toBe('conflict')
    const all = await Promise.all(Array.from({ length: 8 }, () => start({ id: 'race' })))
    expect(all.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(409)])
  })

  test('belongs to its user, without one to itself, and a key sees what its grants cover', async () => {
    await start()
    await start({ id: 'alone', userId: undefined })
    const alice = await tenant.keyFor(['sessions:read', 'sessions:write'], ['user:alice'])
    const alone = await tenant.keyFor(['sessions:read', 'sessions:write'], ['session:alone'])
    expect([(await read('today', alice)).session.id, (await read('alone', alice)).code]).toEqual(['today', 'not_found'])
    expect([(await read('today', alone)).code, (await read('alone', alone)).session.id]).toEqual(['not_found', 'alone'])
    expect((await end('today', { key: alone })).json.code).toBe('not_found')
    expect((await start({ id: 'new', userId: 'bob' }, { key: alice })).json.code).toBe('forbidden')
    expect((await read('today', (await here.tenant()).key)).code).toBe('not_found')
    const other = await tenant.keyFor(['memories:write'], ['*'])
    expect([(await read('today', other)).code, (await end('today', { key: other })).json.code]).toEqual(['forbidden', 'forbidden'])
  })

  test('ends once: its temporary state goes, the rest stays', async () => {
    await start({ state: { 'temp:draft': 'x', 'session:step': 1, temperature: 20 } })
    const { status, json, headers } = await end()
    expect([status, headers.get('etag')]).toEqual([200, '"2"'])
    expect(json.session).toMatchObject({ status: 'terminated', state: { 'session:step': 1, temperature: 20 }, version: 2 })
    expect(json.session.terminatedAt).toBe(json.session.updatedAt)
    expect(await read()).toEqual(json)
    expect((await end()).json.code).toBe('invalid_transition')
    expect((await end('unknown')).json.code).toBe('not_found')
    await start({ id: 'race' })
    const all = await Promise.all(Array.from({ length: 8 }, () => end('race')))
    expect(all.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(409)])
  })

  test('started or ended twice under one idempotency key happened once', async () => {
    for (const act of [(ask: Ask) => start({ id: undefined }, ask), (ask: Ask) => end('today', ask)]) {
      await start()
      const headers = { 'idempotency-key': randomUUID() }
      const first = await act({ headers })
      const again = await act({ headers })
      expect([again.status, again.headers.get('idempotency-replayed'), again.json]).toEqual([first.status, 'true', first.json])
    }
    const actions = await here.owner(
      `select action from twofold.audit_log a join twofold.tenants t on t.id = a.tenant_id where t.uuid = $1 order by a.id`,
      [tenant.id],
    )
    expect(actions.map((row) => row.action)).toEqual(['sessions.start', 'sessions.start', 'sessions.end'])
  })
})

describe('the graph', () => {
  test('shows a session with all that it produced, before it started and after, and how it ended', async () => {
    const early = await remember('early')
    await start({ projectId: 'p1' })
    await relayed()
    const late = await remember('late')
    const { nodes, edges } = await around(late.id)
    const session = nodes.find((node: any) => node.kind === 'session')
    expect(session).toMatchObject({
      sessionId: 'today',
      appName: 'assistant',
      projectId: 'p1',
      status: 'created',
      namespace: 'user:alice',
      hops: 1,
    })
    expect(nodes.filter((node: any) => node.kind === 'memory').map((node: any) => node.content)).toEqual(['late', 'early'])
    expect(edges).toEqual([early, late].map(({ id }) => ({ from: session.id, to: id, type: 'PRODUCED', properties: { confidence: 1 } })))
    await end()
    await relayed()
    expect((await around(late.id)).nodes.find((node: any) => node.kind === 'session')).toMatchObject({ status: 'terminated' })
    const generations = [1]
    expect(await here.deps.graph.counts(tenant.id, { generations })).toMatchObject({ sessions: 1, memories: 2, edges: 2 })
  })

  test('forgets what it produced with the memory, whatever way that goes, and follows it to another session', async () => {
    await start()
    await start({ id: 'other' })
    const [soft, hard, expiring, moved] = [
      await remember('soft'),
      await remember('hard'),
      await remember('expiring', { expiresAt: new Date(here.deps.now().getTime() + 60_000).toISOString() }),
      await remember('moved'),
    ]
    await tenant.del(`/v1/memories/${soft.id}`)
    await tenant.del(`/v1/memories/${hard.id}?hard=true`)
    await tenant.patch(`/v1/memories/${moved.id}`, { sessionId: 'other', waitFor: 'graph' })
    here.pass(120_000)
    await relayed()
    const produced = (await around(moved.id)).nodes.map((node: any) => node.sessionId ?? node.content)
    expect(produced).toEqual(['moved', 'other'])
    expect(await here.deps.graph.counts(tenant.id, { generations: [1] })).toMatchObject({ sessions: 2, memories: 1, edges: 1 })
    expect(expiring.expiresAt).not.toBeNull()
  })

  test('never joins a session to what another subject remembers, nor shows it to a key that may not see it', async () => {
    await start()
    const mine = await remember('mine', { namespace: 'user:alice:work' })
    const theirs = await remember('theirs', { namespace: 'user:bob' })
    const names = async (id: string, key?: string) => (await around(id, key)).nodes.map((node: any) => node.sessionId ?? node.content)
    expect(await names(mine.id)).toEqual(['mine', 'today'])
    expect(await names(theirs.id)).toEqual(['theirs'])
    expect(await names(mine.id, await tenant.keyFor(['graph:read'], ['user:alice:work']))).toEqual(['mine'])
  })

  test('while it is down sessions are started all the same, and shown when it is back', async () => {
    expect((await here.withGraph('down', () => start())).status).toBe(201)
    const memory = await remember('x')
    await relayed()
    expect((await around(memory.id)).nodes).toHaveLength(2)
  })
})

const paths = (json: any) => [...new Set(json.errors.map((e: { path: string }) => e.path))]

test.each([
  [{ appName: undefined }, 'appName'],
  [{ appName: ' ' }, 'appName'],
  [{ appName: 'a:b' }, 'appName'],
  [{ id: '' }, 'id'],
  [{ id: 'a/b' }, 'id'],
  [{ id: '..' }, 'id'],
  [{ id: 'a\nb' }, 'id'],
  [{ id: 'x'.repeat(256) }, 'id'],
  [{ id: 'a:b', userId: undefined }, 'id'],
  [{ id: 7 }, 'id'],
  [{ userId: 'a:b' }, 'userId'],
  [{ userId: '' }, 'userId'],
  [{ projectId: 'a/b' }, 'projectId'],
  [{ state: [] }, 'state'],
  [{ state: { 'planet:mars': 1 } }, 'state["planet:mars"]'],
  [{ state: { 'temp:': 1 } }, 'state["temp:"]'],
  [{ state: { 'a/b': 1 } }, 'state["a/b"]'],
  [{ state: { step: 1, 'session:step': 2 } }, 'state.step'],
  [{ metadata: 'x' }, 'metadata'],
  [{ status: 'active' }, 'status'],
  [{ namespace: 'user:alice' }, 'namespace'],
])('starting with %j is refused by name', async (wrong, path) => {
  const { status, json } = await start(wrong)
  expect([status, paths(json)]).toEqual([400, [path]])
})

test.each(['%', 'a%2Fb', '100% & more?#', '...', ' ', 'Grüße 👋', "'; drop table sessions; --", 'user:x', '\\', '{id}', 'events'])(
  'the odd id %j is an id like any other',
  async (id) => {
    expect((await start({ id })).status).toBe(201)
    const path = `/v1/sessions/${encodeURIComponent(id)}`
    expect((await tenant.post(`${path}/events`, { event: {}, stateDelta: { [id.replaceAll(/[:/]/g, '')]: 1 } })).json.seq).toBe(1)
    expect((await tenant.get(path)).json.session.id).toBe(id)
    expect((await tenant.get('/v1/sessions')).json.items.map((s: any) => s.id)).toEqual([id])
    expect((await end(encodeURIComponent(id))).json.session.status).toBe('terminated')
    expect((await tenant.del(path)).status).toBe(200)
  },
)

test('reading and ending take a well-formed id and nothing else', async () => {
  const long = 'x'.repeat(256)
  expect(paths((await tenant.get(`/v1/sessions/${long}`)).json)).toEqual(['id'])
  expect(paths((await tenant.get('/v1/sessions/a%2Fb')).json)).toEqual(['id'])
  expect(paths((await tenant.get('/v1/sessions/today?events=true')).json)).toEqual(['events'])
  expect(paths((await end(long)).json)).toEqual(['id'])
  expect(paths((await tenant.post('/v1/sessions/today/terminate', { status: 'x' })).json)).toEqual(['status'])
})
