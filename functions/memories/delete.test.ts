import { randomUUID } from 'node:crypto'
import type { Memory } from '@twofold/core/memories/memory.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Ask, sweep, type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
let memory: Memory
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
  memory = (await tenant.post('/v1/memories', { userId: 'alice', content: 'met Anna there', key: 'k', waitFor: 'graph' })).json.memory
})

const del = (query = '', ask?: Ask) => tenant.del(`/v1/memories/${memory.id}${query}`, ask)
const entities = async () => (await tenant.get('/v1/graph/entities')).json.items.map((e: { value: string }) => e.value)
const inGraph = async () => (await tenant.post('/v1/graph/query', { start: { value: 'Anna' } })).json.nodes.map((n: { id: string }) => n.id)
/** The queue and the schedules, as often as there is work. */
const settle = async () => {
  here.pass(1000)
  for (let i = 0; i < 4; i++) await sweep(here.deps)
}
/** Everything that the graph shows of the tenant, as it holds it. */
const shown = async () => {
  const buckets = Array.from({ length: 1024 }, (_, bucket) => bucket)
  return JSON.stringify(await here.deps.graph.held(tenant.id, buckets, { generations: [1] }))
}
/** Every row of the tenant that still knows the memory's id or what it said. */
const traces = async () => {
  const tables = await here.owner(`select table_schema || '.' || table_name as name from information_schema.columns
    where table_schema = 'twofold' and column_name = 'tenant_id' and table_name not like 'readable%' order by 1`)
  const found: string[] = []
  for (const { name } of tables) {
    const [row] = await here.owner(
      `select count(*) as n from ${name} t where tenant_id = (select id from twofold.tenants where uuid = $1) and t::text ~ $2`,
      [tenant.id, `${memory.id}|Anna|anna|there`],
    )
    if (row?.n !== '0') found.push(name as string)
  }
  return found
}

describe('a soft deletion', () => {
  test('takes the memory out of both stores and keeps every version', async () => {
    const { status, json } = await del()
    expect([status, json]).toMatchObject([
      200,
      { deleted: true, hard: false, receipt: { stores: { graph: { state: 'owed' } }, owed: ['graph'] } },
    ])
    expect((await tenant.get(`/v1/memories/${memory.id}`)).status).toBe(404)
    for (const mode of ['hybrid', 'vector', 'text']) expect(await tenant.found({ query: 'met Anna there', mode })).toEqual([])
    expect((await tenant.get('/v1/memories')).json.items).toEqual([])
    expect(await inGraph()).toEqual([])
    const { items } = (await tenant.get(`/v1/memories/${memory.id}/history`)).json
    expect(items.map((i: any) => [i.version, i.action, i.memory.deletedAt !== null])).toEqual([
      [2, 'memories.delete', true],
      [1, 'memories.add', false],
    ])
    await settle()
    expect((await tenant.get('/api/persistence/status')).json.metrics).toMatchObject({
      totalMemories: 0,
      graphStoreCount: 0,
      owedGraphWrites: 0,
    })
  })

  test('frees the key', async () => {
    await del()
    await tenant.add({ content: 'next', key: 'k' })
  })

  test('of what is deleted already finds nothing', async () => {
    await del()
    expect((await del()).status).toBe(404)
  })

  test('lets the collector take the entities that nothing else mentions', async () => {
    await tenant.add({ content: 'met Bert' })
    await del()
    await settle()
    expect(await entities()).toEqual(['Bert'])
    expect(
      await here.owner(
        "select 1 from twofold.entities where value = 'Anna' and tenant_id = (select id from twofold.tenants where uuid = $1)",
        [tenant.id],
      ),
    ).toEqual([])
  })

  test('with cascadeGraph=false keeps them', async () => {
    await del('?cascadeGraph=false')
    await settle()
    expect(await entities()).toEqual(['Anna'])
  })
})

describe('a hard deletion', () => {
  test('leaves nothing of it but the ledger row, the audit and its own answer', async () => {
    expect(await shown()).toContain(memory.id)
    await tenant.patch(`/v1/memories/${memory.id}`, { content: 'met Anna elsewhere, there' })
    const { status, json } = await del('?hard=true', { headers: { 'idempotency-key': 'd' } })
    expect([status, json]).toMatchObject([200, { deleted: true, hard: true }])
    await settle()
    for (const path of ['', '?version=1', '/history', '/diff?from=1&to=2'])
      expect((await tenant.get(`/v1/memories/${memory.id}${path}`)).status).toBe(404)
    expect((await tenant.post(`/v1/memories/${memory.id}/restore`)).status).toBe(404)
    expect(await inGraph()).toEqual([])
    expect(await traces()).toEqual(['twofold.audit_log', 'twofold.idempotency_keys', 'twofold.ledger'])
    expect(await shown()).not.toMatch(new RegExp(`${memory.id}|Anna|anna|there`))
    expect(
      (await here.owner('select action from twofold.audit_log where target = $1 order by id', [memory.id])).map((r) => r.action),
    ).toEqual(['memories.add', 'memories.update', 'memories.delete_hard'])
  })

  test('takes what is softly deleted too', async () => {
    await del()
    expect((await del('?hard=true')).status).toBe(200)
    expect((await del('?hard=true')).status).toBe(404)
  })

  test('makes the id free: what is remembered under it again is newer than its past', async () => {
    await del('?hard=true')
    const { status, json } = await tenant.post('/v1/memories', { userId: 'alice', id: memory.id, content: 'Bert again', waitFor: 'graph' })
    expect([status, json.receipt.stores.graph.state]).toEqual([201, 'written'])
    await settle()
    expect((await tenant.post('/v1/graph/query', { start: { memoryId: memory.id } })).json.nodes.map((n: any) => n.kind).sort()).toEqual([
      'entity',
      'memory',
    ])
  })

  test('with cascadeGraph=false keeps the entities', async () => {
    await del('?hard=true&cascadeGraph=false')
    await settle()
    expect(await entities()).toEqual(['Anna'])
  })
})

describe('If-Match', () => {
  test('with another version names the current one and deletes nothing', async () => {
    await tenant.patch(`/v1/memories/${memory.id}`, { importance: 1 })
    for (const query of ['', '?hard=true']) {
      const { status, json } = await del(query, { headers: { 'if-match': '"1"' } })
      expect([status, json.code, json.currentVersion]).toEqual([412, 'version_mismatch', 2])
    }
    expect((await tenant.get(`/v1/memories/${memory.id}`)).status).toBe(200)
    expect((await del('', { headers: { 'if-match': '"2"' } })).status).toBe(200)
    expect((await here.owner('select action from twofold.audit_log where target = $1', [memory.id])).length).toBe(3)
  })
})

describe('an idempotency key', () => {
  const headers = { 'idempotency-key': 'delete-1' }

  test('is kept for a day from the deletion, however long the process stood still before it', async () => {
    const { db } = here.deps
    here.deps.db = {
      ...db,
      async asCaller(...asked) {
        const answer = await db.asCaller(...asked)
        if (here.deps.db !== db) here.pass(25 * 3_600_000)
        here.deps.db = db
        return answer
      },
    }
    expect((await del('?hard=true', { headers })).status).toBe(200)
    const again = await del('?hard=true', { headers })
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, 'true'])
  })

  test.each(['', '?hard=true'])('answers the deletion%s as it first did', async (query) => {
    const first = await del(query, { headers })
    const again = await del(query, { headers })
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, 'true'])
    expect({ ...again.json, receipt: null }).toEqual({ ...first.json, receipt: null })
    expect((await del('?hard=true&cascadeGraph=false', { headers })).json.code).toBe('idempotency_mismatch')
  })

  test('of a soft deletion is answered so even after the memory was deleted for good', async () => {
    await del('', { headers })
    await del('?hard=true')
    const again = await del('', { headers })
    expect([again.status, again.json.deleted, again.json.hard]).toEqual([200, true, false])
  })

  test('does not delete again what was restored since', async () => {
    await del('', { headers })
    await tenant.post(`/v1/memories/${memory.id}/restore`)
    expect((await del('', { headers })).json.deleted).toBe(true)
    expect((await tenant.get(`/v1/memories/${memory.id}`)).status).toBe(200)
  })

  test('sent by eight twins at once deletes once', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => del('', { headers })))
    expect(all.filter(({ status, json }) => status !== 200 && json.code !== 'in_progress')).toEqual([])
    expect(all.filter((answer) => answer.status === 200 && answer.headers.get('idempotency-replayed') === null).length).toBe(1)
  })
})

test('of eight who delete at once without a key one does, the others find nothing', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => del()))
  expect(all.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(404)])
})

test('what the caller may not see cannot be deleted, softly or for good', async () => {
  const other = await here.tenant()
  const narrow = await tenant.keyFor(['memories:write'], ['user:bob'])
  for (const query of ['', '?hard=true']) {
    expect((await other.del(`/v1/memories/${memory.id}${query}`)).status).toBe(404)
    expect((await del(query, { key: narrow })).status).toBe(404)
    expect((await tenant.del(`/v1/memories/${randomUUID()}${query}`)).status).toBe(404)
    expect((await del(query, { key: await tenant.keyFor(['memories:read'], ['*']) })).status).toBe(403)
    expect((await del(query, { key: null })).status).toBe(401)
  }
  expect((await tenant.get(`/v1/memories/${memory.id}`)).json.memory).toEqual(memory)
})

test.each([
  ['?hard=maybe', 'hard'],
  ['?cascadeGraph=1', 'cascadeGraph'],
  ['?why=not', 'why'],
])('%s is refused by name', async (query, path) => {
  const { status, json } = await del(query)
  expect([status, json.errors[0].path]).toEqual([400, path])
})
