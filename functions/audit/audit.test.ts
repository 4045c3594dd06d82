import { randomUUID } from 'node:crypto'
import { auditKeeper } from '@twofold/core/audit/keep.ts'
import type { Database, Noted } from '@twofold/core/ports.ts'
import { raw, sql } from '@twofold/core/sql.ts'
import { serve } from '@twofold/operation/http.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { compose } from '../deps.ts'
import { readEnv } from '../env.ts'
import { type Ask, type Tenant, type World, world } from '../fixture.ts'
import { operations } from '../operations.ts'
import { purge } from '../schedules/purge.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world({ AUDIT_RETENTION_DAYS: '30' })
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const audit = async (query = '', ask?: Ask) => {
  await here.deps.audit.flush()
  return (await tenant.get(`/v1/audit${query}`, ask)).json
}
/** Oldest first. */
const done = async (query = '', ask?: Ask): Promise<string[]> =>
  (await audit(query, ask)).items
    .map((entry: any) => (entry.outcome === 'ok' ? entry.action : `${entry.action} ${entry.outcome}`))
    .reverse()

describe('the audit', () => {
  test('has who did what to what, in which request, and nothing of what it says', async () => {
    const headers = { 'x-request-id': 'request-0001', 'x-on-behalf-of': 'Grace Hopper' }
    const { memory } = (await tenant.post('/v1/memories', { userId: 'alice', content: 'a zebra' }, { headers })).json
    await tenant.get(`/v1/memories/${memory.id}`, { headers: { 'x-request-id': 'request-0002' } })
    const { items, nextCursor } = await audit(`?memoryId=${memory.id}`)
    const [{ key }] = (await tenant.get('/v1/keys')).json.items.map((each: any) => ({ key: each }))
    const same = { actor: key.id, actorName: key.name, target: memory.id, namespace: 'user:alice', outcome: 'ok' }
    expect(items).toEqual([
      {
        ...{ ...same, id: expect.any(String), at: expect.any(String), action: 'memories.get', requestId: 'request-0002' },
        ...{ onBehalfOf: null, version: null },
      },
      {
        ...{ ...same, id: expect.any(String), at: memory.createdAt, action: 'memories.add', requestId: 'request-0001' },
        ...{ onBehalfOf: 'Grace Hopper', version: 1 },
      },
    ])
    expect([nextCursor, JSON.stringify(items)]).toEqual([null, expect.not.stringContaining('zebra')])
  })

  test('has every write by its own transaction, and every read of memory after its answer', async () => {
    const { id } = await tenant.add({ content: 'met Anna', waitFor: 'graph' })
    await tenant.patch(`/v1/memories/${id}`, { importance: 9 })
    await tenant.get(`/v1/memories/${id}/history`)
    await tenant.get('/v1/memories?userId=alice')
    await tenant.post('/v1/memories/search', { userId: 'alice', query: 'Anna' })
    const [anna] = (await tenant.get('/v1/graph/entities?subject=user:alice')).json.items
    await tenant.get(`/v1/graph/entities/${anna.id}/context`)
    await tenant.post('/v1/graph/query', { start: { memoryId: id } })
    await tenant.post('/v1/sessions', { id: 'today', appName: 'x', userId: 'alice' })
    await tenant.get('/v1/sessions/today')
    await tenant.post('/v1/conversations/today/turns', { query: 'q', answer: 'a', userId: 'alice', remember: true })
    await tenant.get('/v1/conversations/today/context')
    await tenant.del('/v1/conversations/today')
    await tenant.del(`/v1/memories/${id}`)
    // By when it was done: what is of one moment stands in the order in which it came.
    expect((await done()).sort()).toEqual(
      [
        ...['memories.add', 'memories.update', 'memories.history', 'memories.list', 'memories.search', 'graph.entities'],
        ...['graph.entity_context', 'graph.query', 'sessions.start', 'sessions.get', 'memories.add', 'conversations.add_turn'],
        ...['conversations.context', 'conversations.clear', 'memories.delete'],
      ].sort(),
    )
    const { items } = await audit()
    expect(items.filter((entry: any) => entry.namespace !== 'user:alice').map((entry: any) => entry.action)).toEqual([])
    expect(items.every((entry: any) => entry.actor && entry.requestId)).toBe(true)
  })

  test('has what was refused and why, by whatever key of the tenant; of malformed requests and of strangers it has nothing', async () => {
    const { id } = await tenant.add({ content: 'x' })
    const writer = await tenant.keyFor(['memories:write'], ['*'])
    const bob = await tenant.keyFor(['memories:read', 'memories:write'], ['user:bob'])
    await tenant.get(`/v1/memories/${id}`, { key: writer })
    await tenant.get(`/v1/memories/${id}`, { key: bob })
    await tenant.post('/v1/memories', { userId: 'alice', content: 'x' }, { key: bob })
    await tenant.patch(`/v1/memories/${id}`, { content: 'y' }, { headers: { 'if-match': '"7"' } })
    await tenant.get(`/v1/memories/${randomUUID()}`)
    await tenant.post('/v1/memories', { userId: 'alice' })
    await tenant.get('/v1/memories/no-uuid')
    await tenant.get(`/v1/memories/${id}`, { key: 'tf_unknown' })
    const { items } = await audit()
    expect(items.map(({ action, outcome, target, namespace }: any) => [action, outcome, target === id, namespace]).reverse()).toEqual([
      ['memories.add', 'ok', true, 'user:alice'],
      ['memories.get', 'forbidden', true, 'user:alice'],
      ['memories.get', 'not_found', true, 'user:alice'],
      ['memories.add', 'forbidden', false, 'user:alice'],
      ['memories.update', 'version_mismatch', true, 'user:alice'],
      ['memories.get', 'not_found', false, null],
    ])
    expect(new Set(items.map((entry: any) => entry.actorName))).toEqual(
      new Set(['first admin key', 'memories:write', 'memories:read memories:write']),
    )
  })

  test('is asked by prefix, memory, actor, whom that acts for, action, and time', async () => {
    const [a, b] = [await tenant.add({ content: 'a' }), await tenant.add({ namespace: 'user:bob:notes', content: 'b' })]
    const { key } = (await tenant.post('/v1/keys', { name: 'agent', scopes: ['memories:read'], namespaces: ['*'] })).json
    here.pass(60_000)
    const since = here.deps.now().toISOString()
    const reader = await tenant.keyFor(['memories:read'], ['*'])
    await tenant.get(`/v1/memories/${b.id}`, { key: reader, headers: { 'x-on-behalf-of': "O'Brien; --" } })
    const [entry] = (await audit('?limit=1')).items
    expect(await done(`?memoryId=${a.id}`)).toEqual(['memories.add'])
    expect(await done(`?memoryId=${b.id}`)).toEqual(['memories.add', 'memories.get'])
    expect(await done('?namespacePrefix=user:bob')).toEqual(['memories.add', 'memories.get'])
    expect(await done('?namespacePrefix=user:bo')).toEqual([])
    expect(await done(`?actor=${entry.actor}`)).toEqual(['memories.get'])
    expect(await done(`?actor=${key.id}`)).toEqual([])
    expect(await done(`?onBehalfOf=${encodeURIComponent("O'Brien; --")}`)).toEqual(['memories.get'])
    expect(await done('?action=memories.add')).toEqual(['memories.add', 'memories.add'])
    expect(await done(`?since=${since}`)).toEqual(['memories.get'])
  })

  test('is read page by page, newest first, and each entry once', async () => {
    for (let i = 0; i < 5; i++) await tenant.add({ content: `m${i}`, extractEntities: false })
    const seen: string[] = []
    let cursor = ''
    do {
      const page = await audit(`?limit=2${cursor && `&cursor=${cursor}`}`)
      seen.push(...page.items.map((entry: any) => entry.id))
      await tenant.add({ content: 'meanwhile', extractEntities: false })
      cursor = page.nextCursor
    } while (cursor)
    expect([seen.length, new Set(seen).size]).toEqual([5, 5])
    const all = (await audit()).items.map((entry: any) => entry.id)
    expect(all.slice(-5)).toEqual(seen)
  })

  test('shows what lies in the grant of who asks; what was asked of everything, to who may see everything', async () => {
    const [a, b] = [await tenant.add({ content: 'a' }), await tenant.add({ namespace: 'user:bob', content: 'b' })]
    const bob = await tenant.keyFor(['memories:read'], ['user:bob'])
    await tenant.get('/v1/memories')
    await tenant.get('/v1/memories', { key: bob })
    await tenant.get(`/v1/memories/${a.id}`, { key: bob })
    const auditor = await tenant.keyFor(['audit:read'], ['user:bob'])
    expect(await done('', { key: auditor })).toEqual(['memories.add', 'memories.list'])
    expect(await done(`?memoryId=${a.id}`, { key: auditor })).toEqual([])
    expect(await done(`?memoryId=${b.id}`, { key: auditor })).toEqual(['memories.add'])
    expect((await audit('?namespacePrefix=user:alice', { key: auditor })).code).toBe('forbidden')
    expect((await audit('', { key: bob })).code).toBe('forbidden')
    expect((await audit('', { key: (await here.tenant()).key })).items).toEqual([])
    expect(await done()).toEqual(['memories.add', 'memories.add', 'memories.list', 'memories.list', 'memories.get not_found'])
  })

  test.each([
    ['?namespacePrefix=user:%25', 200],
    ['?namespacePrefix=planet:mars', 'namespacePrefix'],
    ['?memoryId=1', 'memoryId'],
    ['?actor=', 'actor'],
    ['?action=drop%20table', 'action'],
    ['?since=0000-01-01T00:00:00Z', 'since'],
    ['?since=300000-01-01T00:00:00Z', 'since'],
    ['?limit=0', 'limit'],
    ['?cursor=x', 'cursor'],
    [`?cursor=${Buffer.from('{"at":"2026-01-01T00:00:00Z","id":"99999999999999999999"}').toString('base64url')}`, 'cursor'],
    ['?actors=x', 'actors'],
  ])('asked with %s answers %s', async (query, expected) => {
    const { status, json } = await tenant.get(`/v1/audit${query}`)
    expect(status === 200 ? 200 : json.errors[0].path).toBe(expected)
  })

  test('notes whatever operation is about memory and does not write, by its declaration alone', () => {
    const reads = operations.filter(({ scope, write }) => !write && /^(memories|sessions|graph|documents):/.test(String(scope)))
    const others = operations.filter((operation) => !operation.write && !reads.includes(operation)).map(({ name }) => name.split('.')[0])
    expect(reads.length).toBeGreaterThan(10)
    expect([...new Set(others)].sort()).toEqual(expect.arrayContaining(['audit', 'keys', 'persistence', 'system']))
    expect(others.filter((noun) => ['memories', 'sessions', 'conversations', 'graph', 'documents'].includes(String(noun)))).toEqual([])
  })
})

describe('what it keeps', () => {
  const old = (days: number) =>
    here.deps.db.asTenant(tenant.id, [
      sql`insert into audit_log (tenant_id, at, actor, action, namespace) values (current_tenant(), now() - make_interval(days => ${days}::int), 'system', 'memories.expire', 'user:alice')`,
    ])
  const left = async () =>
    Number(
      (
        await here.owner(`select count(*) as n from twofold.audit_log a join twofold.tenants t on t.id = a.tenant_id where t.uuid = $1`, [
          tenant.id,
        ])
      )[0]?.n,
    )

  test('is what is not older than the configuration says', async () => {
    for (const days of [29, 31, 400]) await old(days)
    expect(await purge(here.deps)()).toMatchObject({ audit: { failed: 0 } })
    expect(await left()).toBe(1)
  })

  test('nobody takes the last day away, the application least of all', async () => {
    await tenant.add({ content: 'x' })
    await old(2)
    await here.deps.db.asTenant(tenant.id, [sql`select forget_audit('infinity', 1000)`])
    expect(await left()).toBe(1)
    for (const statement of ["update audit_log set actor = 'nobody'", 'delete from audit_log', 'truncate audit_log'])
      await expect(here.deps.db.asTenant(tenant.id, [raw(statement)])).rejects.toMatchObject({ code: '42501' })
    expect(await left()).toBe(1)
  })
})

describe('what is noted off the requests', () => {
  const noted = (action: string): Noted => ({
    ...{
      at: here.deps.now().toISOString(),
      key: null,
      hash: hashKey(tenant.key).toString('hex'),
      onBehalfOf: null,
      requestId: 'request-1',
    },
    ...{ action, target: null, named: null, namespace: '', outcome: 'ok' },
  })
  /** A keeper at the same database, which can be told to fail and counts how often it was asked. */
  const keeping = () => {
    const state = { asked: 0, fails: false }
    const across: Database['across'] = async (...given) => {
      state.asked++
      if (state.fails) throw new Error('away')
      return here.deps.db.across(...given)
    }
    return { state, ...auditKeeper({ db: { across }, log: here.deps.log }, 60_000) }
  }

  test('is brought to the database in batches', async () => {
    const { state, note, flush } = keeping()
    for (let i = 0; i < 450; i++) note(noted('memories.get'))
    await flush()
    expect([state.asked, (await audit('?limit=500')).items.length]).toEqual([9, 450])
    await flush()
    expect(state.asked).toBe(9)
  })

  test('waits while the database is away, which is not asked for each, and is there once it is back', async () => {
    const { state, note, flush } = keeping()
    state.fails = true
    for (let i = 0; i < 300; i++) note(noted('memories.get'))
    await flush()
    for (let i = 0; i < 300; i++) note(noted('memories.list'))
    expect(state.asked).toBe(1)
    state.fails = false
    await flush()
    expect([
      (await audit('?limit=500&action=memories.get')).items.length,
      (await audit('?limit=500&action=memories.list')).items.length,
    ]).toEqual([300, 300])
  })

  test('is bounded while it waits: the oldest go', async () => {
    const { state, note, flush } = keeping()
    state.fails = true
    for (let i = 0; i < 10_050; i++) note(noted(i < 50 ? 'memories.get' : 'memories.list'))
    await flush()
    state.fails = false
    await flush()
    expect([(await audit('?action=memories.get')).items, (await audit('?action=memories.list&limit=500')).items.length]).toEqual([[], 500])
  })

  test('is there when the process has been told to stop', async () => {
    const other = await compose(readEnv(here.variables), { now: here.deps.now })
    const headers = { authorization: `Bearer ${tenant.key}`, 'x-request-id': 'request-0001' }
    expect((await serve(operations, other.surroundings).request('/v1/memories', { headers })).status).toBe(200)
    await other.close()
    expect((await audit()).items).toMatchObject([{ action: 'memories.list', requestId: 'request-0001' }])
  })
})
