import { randomUUID } from 'node:crypto'
import { sql } from '@twofold/core/sql.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Ask, type Tenant, type World, world } from '../fixture.ts'

/** So that what is old is archived before long. */
const KEPT = 50

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world({ SESSION_EVENTS_KEPT: String(KEPT) })
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const start = (more: object = {}) => tenant.post('/v1/sessions', { id: 'today', appName: 'assistant', userId: 'alice', ...more })
const append = (body: object, ask?: Ask, id = 'today') => tenant.post(`/v1/sessions/${id}/events`, body, ask)
const numbered = (n: number, from = 1) => Array.from({ length: n }, (_, i) => ({ n: from + i }))
const session = async () => (await tenant.get('/v1/sessions/today')).json.session
const page = async (query = '') => (await tenant.get(`/v1/sessions/today/events?${query}`)).json
/** All pages, with the size of each. */
async function pages(query = '') {
  const [items, sizes]: [any[], number[]] = [[], []]
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { text, json } = await tenant.get(`/v1/sessions/today/events?${query}${cursor && `&cursor=${cursor}`}`)
    items.push(...json.items)
    sizes.push(text.length)
    cursor = json.nextCursor
  }
  return { items, sizes }
}
const count = async (table: string) =>
  Number(
    (
      await here.owner(`select count(*) as n from twofold.${table} e join twofold.tenants t on t.id = e.tenant_id where t.uuid = $1`, [
        tenant.id,
      ])
    )[0]?.n,
  )

describe('events', () => {
  test('are numbered from one on and answered exactly as they were sent', async () => {
    await start()
    const event = { zebra: 1, a: [null, { b: 1e300, c: 'Grüße 👋' }], nested: { z: 1, a: 2 } }
    const { status, json, headers } = await append({ event, taskId: 'search' })
    expect([status, headers.get('etag'), json.seq]).toEqual([200, '"2"', 1])
    expect(json.session).toMatchObject({ id: 'today', eventCount: 1, version: 2, status: 'created' })
    expect(await session()).toEqual(json.session)
    expect((await append({ events: numbered(3) })).json.seq).toBe(4)
    const text = (await tenant.get('/v1/sessions/today/events')).text
    expect(text).toContain(JSON.stringify(event))
    const { items, nextCursor } = JSON.parse(text)
    expect(nextCursor).toBe(null)
    expect(items[0]).toEqual({ seq: 1, event, taskId: 'search', createdAt: json.session.updatedAt })
    expect(items.slice(1).map((item: any) => [item.seq, item.event, item.taskId])).toEqual(numbered(3).map((e, i) => [i + 2, e, null]))
  })

  test('of sixty writers at once have no gap, lose none and keep together what came together', async () => {
    await start()
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, writer) =>
        append({
          events: [
            { writer, part: 1 },
            { writer, part: 2 },
          ],
          stateDelta: { [`session:${writer}`]: 1 },
        }),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(60).fill(200))
    expect(answers.map(({ json }) => json.seq).sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => 2 * (i + 1)))
    const { items } = await page('limit=500')
    expect(items.map((item: any) => item.seq)).toEqual(Array.from({ length: 120 }, (_, i) => i + 1))
    for (let i = 0; i < 120; i += 2) expect(items[i + 1].event).toEqual({ ...items[i].event, part: 2 })
    const { state, version, eventCount } = await session()
    expect([Object.keys(state).length, version, eventCount]).toEqual([60, 61, 120])
  })

  test('append_event with a version that has passed is refused with the one that is', async () => {
    await start()
    await append({ event: {} })
    const stale = await append({ event: {} }, { headers: { 'if-match': '"1"' } })
    expect([stale.status, stale.json.code, stale.json.currentVersion]).toEqual([412, 'version_mismatch', 2])
    expect((await append({ event: {} }, { headers: { 'if-match': '"2"' } })).json.seq).toBe(2)
  })

  test('sent again under one idempotency key are there once, under the number they had', async () => {
    await start()
    const headers = { 'idempotency-key': randomUUID() }
    const first = await append({ events: numbered(2) }, { headers })
    await append({ event: { later: true } })
    const again = await append({ events: numbered(2) }, { headers })
    expect([again.status, again.headers.get('idempotency-replayed'), again.json.seq]).toEqual([200, 'true', first.json.seq])
    expect(again.json.session.eventCount).toBe(3)
    expect((await append({ events: numbered(3) }, { headers })).json.code).toBe('idempotency_mismatch')
    await tenant.del('/v1/sessions/today')
    await start()
    expect((await append({ events: numbered(2) }, { headers })).json.code).toBe('gone')
    const known = await here.owner(
      `select k.operation from twofold.idempotency_keys k join twofold.tenants t on t.id = k.tenant_id where t.uuid = $1 and request_hash is not null`,
      [tenant.id],
    )
    expect(known).toEqual([])
  })

  test('end with the session: whoever comes later is refused, whoever came before is counted', async () => {
    await start()
    const [ended, ...appended] = await Promise.all([
      append({ event: {} }).then(() => tenant.post('/v1/sessions/today/terminate')),
      ...Array.from({ length: 20 }, () => append({ event: {} })),
    ])
    expect(ended.status).toBe(200)
    const ok = appended.filter(({ status }) => status === 200).length
    expect(appended.filter(({ status }) => status !== 200).map(({ json }) => json.code)).toEqual(Array(20 - ok).fill('invalid_transition'))
    expect([(await session()).eventCount, (await page('limit=500')).items.length]).toEqual([ok + 1, ok + 1])
    const late = await append({ event: {} })
    expect([late.status, late.json.code, late.json.currentStatus]).toEqual([409, 'invalid_transition', 'terminated'])
    expect((await append({ event: {} }, {}, 'unknown')).json.code).toBe('not_found')
  })

  test('are seen and made where the grant covers the session', async () => {
    await start()
    const [bob, reader] = [
      await tenant.keyFor(['sessions:read', 'sessions:write'], ['user:bob']),
      await tenant.keyFor(['sessions:read'], ['*']),
    ]
    expect((await append({ event: {} }, { key: bob })).json.code).toBe('not_found')
    expect((await tenant.get('/v1/sessions/today/events', { key: bob })).json.code).toBe('not_found')
    expect((await append({ event: {} }, { key: reader })).json.code).toBe('forbidden')
    expect((await tenant.get('/v1/sessions/today/events', { key: reader })).json).toEqual({ items: [], nextCursor: null })
  })
})

describe('pages', () => {
  test('go on after a number or where the one before ended, and of a task hold only that', async () => {
    await start()
    for (let i = 0; i < 4; i++) await append({ events: numbered(5, 5 * i + 1), taskId: i % 2 ? 'odd' : 'even' })
    const seqs = (items: any[]) => items.map((item) => item.seq)
    expect(seqs((await page('after=17')).items)).toEqual([18, 19, 20])
    expect(await page('after=20')).toEqual({ items: [], nextCursor: null })
    expect(seqs((await pages('limit=3')).items)).toEqual(numbered(20).map(({ n }) => n))
    expect(seqs((await pages('limit=4&taskId=odd')).items)).toEqual([6, 7, 8, 9, 10, 16, 17, 18, 19, 20])
    expect(seqs((await pages('limit=4&taskId=odd&after=8')).items)).toEqual([9, 10, 16, 17, 18, 19, 20])
    expect((await page('taskId=none')).items).toEqual([])
    const { nextCursor } = await page('limit=5')
    const refused = await tenant.get(`/v1/sessions/today/events?cursor=${nextCursor}&after=9`)
    expect(refused.json.errors).toMatchObject([{ path: 'cursor' }])
  })

  test('cover what has been archived like what has not, however it came and is asked for', async () => {
    await start()
    const calls = [500, 1, 180, 20, 500, 199, 1, 7, 300, 1]
    let n = 0
    for (const [i, size] of calls.entries()) {
      await append({ events: numbered(size, n + 1), taskId: `task ${i}` })
      n += size
    }
    // All but the newest, and not one row for each.
    expect(await count('session_events')).toBeLessThan(KEPT + 200)
    expect(await count('session_events')).toBeGreaterThanOrEqual(KEPT)
    const archived = await count('archived_events')
    expect([archived > 3, archived < 10]).toEqual([true, true])
    for (const query of ['limit=500', 'limit=170', 'limit=500&after=0']) {
      const { items } = await pages(query)
      expect(items.map((item) => [item.seq, item.event.n])).toEqual(numbered(n).map(({ n }) => [n, n]))
    }
    const { items } = await pages('limit=100&taskId=task 4')
    expect(items.map((item) => item.seq)).toEqual(numbered(500, 702).map(({ n }) => n))
    expect((await pages('taskId=task 7')).items).toHaveLength(7)
    expect((await page(`after=${n - 1}`)).items.map((item: any) => item.seq)).toEqual([n])
    expect((await session()).eventCount).toBe(n)
    await tenant.del('/v1/sessions/today')
    expect([await count('session_events'), await count('archived_events')]).toEqual([0, 0])
  })

  test('stay within what one answer can carry, of large events as well, archived or not', async () => {
    await start()
    const large = (n: number) => ({ n, text: 'x'.repeat(20_000) })
    for (let i = 0; i < 7; i++) await append({ events: numbered(45, 45 * i + 1).map(({ n }) => large(n)) })
    expect(await count('archived_events')).toBeGreaterThan(0)
    const { items, sizes } = await pages('limit=500')
    expect(items.map((item) => item.event.n)).toEqual(numbered(315).map(({ n }) => n))
    expect(Math.max(...sizes)).toBeLessThan(4.5 * 1024 * 1024)
    expect(sizes.length).toBeLessThan(5)
  })
})

const deep = (levels: number): object => (levels === 0 ? {} : { a: deep(levels - 1) })
const bytes = (n: number) => ({ x: 'x'.repeat(n - '{"x":""}'.length) })

describe('bad input', () => {
  test.each<[object, string]>([
    [{}, 'event'],
    [{ event: {}, events: [{}] }, 'events'],
    [{ event: 'x' }, 'event'],
    [{ event: null }, 'event'],
    [{ event: [] }, 'event'],
    [{ event: bytes(256 * 1024 + 1) }, 'event'],
    [{ event: { text: 'x'.repeat(300_000) } }, 'event'],
    [{ event: { text: 'é'.repeat(140_000) } }, 'event'],
    [{ event: { 'a\0': 1 } }, 'event["a\\u0000"]'],
    [{ event: { text: 'a\0b' } }, 'event.text'],
    [{ event: { text: '\ud800' } }, 'event.text'],
    [{ event: deep(70) }, 'event'],
    [{ events: [] }, 'events'],
    [{ events: {} }, 'events'],
    [{ events: Array(501).fill({}) }, 'events'],
    [{ events: [{}, 7] }, 'events[1]'],
    [{ event: {}, stateDelta: [] }, 'stateDelta'],
    [{ event: {}, stateDelta: null }, 'stateDelta'],
    [{ event: {}, stateDelta: 'x' }, 'stateDelta'],
    [{ event: {}, stateDelta: { 'planet:mars': 1 } }, 'stateDelta["planet:mars"]'],
    [{ event: {}, stateDelta: { '': 1 } }, 'stateDelta'],
    [{ event: {}, stateDelta: { a: 1, 'session:a': 2 } }, 'stateDelta.a'],
    [{ event: {}, taskId: '' }, 'taskId'],
    [{ event: {}, taskId: 'a/b' }, 'taskId'],
    [{ event: {}, taskId: 7 }, 'taskId'],
    [{ event: {}, seq: 7 }, 'seq'],
    [{ event: {}, timestamp: '0000-01-01T00:00:00Z' }, 'timestamp'],
    [{ event: {}, timestamp: '300000-01-01T00:00:00Z' }, 'timestamp'],
  ])('%.80j is refused by name, and leaves nothing', async (body, path) => {
    await start()
    const { status, json } = await append(body)
    expect([status, json.errors.map((e: any) => e.path).filter((p: string) => p.startsWith(path)).length > 0]).toEqual([400, true])
    expect((await session()).eventCount).toBe(0)
  })

  test('an event of exactly as much as is allowed is taken, a body of more than that is not', async () => {
    await start()
    expect((await append({ event: bytes(256 * 1024) })).status).toBe(200)
    expect((await append({ events: Array(5).fill(bytes(256 * 1024)) })).json.code).toBe('too_large')
    expect((await page()).items[0].event).toEqual(bytes(256 * 1024))
  })

  test.each([
    ['after=-1', 'after'],
    ['after=x', 'after'],
    ['after=3000000000', 'after'],
    ['limit=501', 'limit'],
    ['cursor=x', 'cursor'],
    ['taskId=', 'taskId'],
    ['before=7', 'before'],
  ])('of a list with %s', async (query, path) => {
    await start()
    const { status, json } = await tenant.get(`/v1/sessions/today/events?${query}`)
    expect([status, json.errors[0].path]).toEqual([400, path])
  })
})

/** The examples of RFC 7396, appendix A. */
test.each([
  ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
  ['{"a":"b"}', '{"a":null}', '{}'],
  ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
  ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
  ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
  ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
  ['["a","b"]', '["c","d"]', '["c","d"]'],
  ['{"a":"b"}', '["c"]', '["c"]'],
  ['{"a":"foo"}', 'null', 'null'],
  ['{"a":"foo"}', '"bar"', '"bar"'],
  ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
  ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
  ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
])('%s after the merge patch %s is %s', async (target, patch, merged) => {
  const [rows] = await here.deps.db.asTenant(tenant.id, [
    sql<{ merged: unknown }>`select merge_patch(${target}::jsonb, ${patch}::jsonb) as merged`,
  ])
  expect(rows[0]?.merged).toEqual(JSON.parse(merged))
})
