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

const remember = (namespace: string, contents: string[], more: object = {}) =>
  tenant.post('/v1/memories/batch', { items: contents.map((content) => ({ namespace, content, extractEntities: false, ...more })) })
const removeAll = async (body: object, ask?: Ask) => (await tenant.post('/v1/memories/delete', body, ask)).json
const contents = async (query = ''): Promise<string[]> =>
  (await tenant.get(`/v1/memories?limit=500${query}`)).json.items.map((m: { content: string }) => m.content).sort()
const settle = async () => {
  here.pass(1000)
  for (let i = 0; i < 4; i++) await sweep(here.deps)
}
const metrics = async () => (await tenant.get('/api/persistence/status')).json.metrics
const audited = async () =>
  (
    await here.owner(
      `select action, count(*) as n from twofold.audit_log where tenant_id = (select id from twofold.tenants where uuid = $1) and action like 'memories.delete%' group by 1 order by 1`,
      [tenant.id],
    )
  ).map((row) => [row.action, Number(row.n)])

describe('deleting all of a place', () => {
  test('takes a namespace alone, a prefix by whole segments, or a user, out of both stores and out of search', async () => {
    for (const namespace of ['user:alice', 'user:alice:work', 'user:alicex', 'user:bob', 'user:bob:x', 'user:carl:x'])
      await remember(namespace, [namespace])
    expect(await removeAll({ namespace: 'user:bob' })).toEqual({ matched: 1, deleted: 1, done: true })
    expect(await removeAll({ userId: 'alice' })).toEqual({ matched: 2, deleted: 2, done: true })
    expect(await removeAll({ namespacePrefix: 'user:carl' })).toEqual({ matched: 1, deleted: 1, done: true })
    expect(await contents()).toEqual(['user:alicex', 'user:bob:x'])
    for (const mode of ['hybrid', 'vector', 'text']) expect(await tenant.found({ query: 'user alice work', mode })).toEqual([])
    expect((await metrics()).owedGraphWrites).toBe(6)
    await settle()
    expect(await metrics()).toMatchObject({ totalMemories: 2, graphStoreCount: 2, vectorStoreCount: 2, owedGraphWrites: 0 })
    expect(await audited()).toEqual([['memories.delete', 4]])
  })

  test('takes of it what a filter picks, the filter of search', async () => {
    await remember('user:alice', ['a', 'b'], { metadata: { source: 'import', n: 3 } })
    await remember('user:alice', ['c'], { metadata: { source: 'chat', n: 3 } })
    await remember('user:alice', ['d'])
    expect(await removeAll({ userId: 'alice', filter: { AND: [{ source: { eq: 'import' } }, { n: { gt: 2 } }] } })).toMatchObject({
      deleted: 2,
    })
    expect(await removeAll({ userId: 'alice', filter: { n: { exists: false } } })).toMatchObject({ deleted: 1 })
    expect(await contents()).toEqual(['c'])
  })

  test('as a dry run only counts', async () => {
    await remember('user:alice', ['a', 'b', 'c'], { metadata: { x: 1 } })
    for (const hard of [false, true])
      expect(await removeAll({ userId: 'alice', filter: { x: { eq: 1 } }, hard, dryRun: true })).toEqual({
        matched: 3,
        deleted: 0,
        done: true,
      })
    expect(await contents()).toEqual(['a', 'b', 'c'])
    expect(await audited()).toEqual([])
  })

  test('softly keeps every version, to be restored one by one; what is deleted already is left alone', async () => {
    const memory = await tenant.add({ content: 'met Anna', key: 'k' })
    const gone = await tenant.add({ content: 'gone' })
    await tenant.del(`/v1/memories/${gone.id}`)
    expect(await removeAll({ userId: 'alice' })).toMatchObject({ deleted: 1 })
    const { items } = (await tenant.get(`/v1/memories/${memory.id}/history`)).json
    expect(items.map((i: any) => [i.version, i.action])).toEqual([
      [2, 'memories.delete'],
      [1, 'memories.add'],
    ])
    expect((await tenant.post(`/v1/memories/${memory.id}/restore`)).json.memory).toMatchObject({ content: 'met Anna', key: 'k' })
    expect(await tenant.found({ query: 'Anna' })).toEqual([memory.id])
  })

  test('for good takes every version, vector and word, of what is softly deleted too', async () => {
    const memory = await tenant.add({ content: 'met Anna', waitFor: 'graph' })
    await tenant.patch(`/v1/memories/${memory.id}`, { content: 'met Anna again' })
    const soft = await tenant.add({ content: 'met Anna softly' })
    await tenant.del(`/v1/memories/${soft.id}`)
    expect(await removeAll({ userId: 'alice', hard: true })).toMatchObject({ matched: 2, deleted: 2, done: true })
    await settle()
    for (const id of [memory.id, soft.id])
      for (const path of ['', '/history']) expect((await tenant.get(`/v1/memories/${id}${path}`)).status).toBe(404)
    for (const table of ['memories', 'memory_versions', 'embeddings', 'past_embeddings', 'postings', 'memory_entities', 'entities']) {
      const rows = await here.owner(`select 1 from twofold.${table} where tenant_id = (select id from twofold.tenants where uuid = $1)`, [
        tenant.id,
      ])
      expect([table, rows]).toEqual([table, []])
    }
    expect(await audited()).toEqual([
      ['memories.delete', 1],
      ['memories.delete_hard', 2],
    ])
    expect(await metrics()).toMatchObject({ totalMemories: 0, graphStoreCount: 0, owedGraphWrites: 0 })
  })

  test('of more than one call does goes on with the cursor until it is done', async () => {
    for (let i = 0; i < 3; i++)
      await remember(
        'user:alice',
        Array.from({ length: 400 }, (_, n) => `fact ${i} ${n}`),
      )
    await remember('user:bob', ['stays'])
    const answers = []
    for (let cursor: string | undefined; ; cursor = answers.at(-1).cursor) {
      answers.push(await removeAll({ userId: 'alice', cursor }))
      if (answers.at(-1).done) break
    }
    expect(answers.map(({ deleted, done }) => [deleted, done])).toEqual([
      [500, false],
      [500, false],
      [200, true],
    ])
    expect(await contents()).toEqual(['stays'])
  })

  test('does less at once of what is long', async () => {
    const long = Array.from({ length: 30 }, (_, i) => `${i} ${'word '.repeat(19_000)}`)
    for (const each of long) await remember('user:alice', [each])
    const first = await removeAll({ userId: 'alice' })
    expect(first.done).toBe(false)
    expect(first.deleted).toBeLessThan(30)
    expect((await removeAll({ userId: 'alice', cursor: first.cursor })).deleted).toBe(30 - first.deleted)
  })

  test('while they change takes them as they then are', async () => {
    await remember(
      'user:alice',
      Array.from({ length: 40 }, (_, i) => `fact ${i}`),
      { metadata: { n: 1 } },
    )
    const { items } = (await tenant.get('/v1/memories?limit=100')).json
    const [answer, ...changed] = await Promise.all([
      tenant.post('/v1/memories/delete', { userId: 'alice', filter: { n: { eq: 1 } } }),
      ...items.slice(0, 8).map((m: { id: string }) => tenant.patch(`/v1/memories/${m.id}`, { metadata: { n: 2 } })),
    ])
    const kept = changed.filter(({ status }) => status === 200).length
    expect(changed.filter(({ status }) => ![200, 404].includes(status))).toEqual([])
    expect([answer.json.deleted, (await contents()).length]).toEqual([40 - kept, kept])
  })

  test('by two at once deletes each memory once', async () => {
    await remember(
      'user:alice',
      Array.from({ length: 50 }, (_, i) => `fact ${i}`),
    )
    const both = await Promise.all([removeAll({ userId: 'alice' }), removeAll({ userId: 'alice' })])
    expect(both.map(({ deleted }) => deleted).sort((a, b) => a - b)).toEqual([0, 50])
    expect(await audited()).toEqual([['memories.delete', 50]])
  })
})

describe('an idempotency key', () => {
  const headers = { 'idempotency-key': 'all' }

  test('answers as it first did, and deletes nothing that came after', async () => {
    await remember(
      'user:alice',
      Array.from({ length: 500 }, (_, i) => `fact ${i}`),
    )
    await remember('user:alice', ['last'])
    const first = await tenant.post('/v1/memories/delete', { userId: 'alice' }, { headers })
    expect(first.json).toMatchObject({ deleted: 500, done: false })
    const again = await tenant.post('/v1/memories/delete', { userId: 'alice' }, { headers })
    expect([again.headers.get('idempotency-replayed'), again.json]).toEqual(['true', first.json])
    expect(await contents()).toEqual(['last'])
    expect((await removeAll({ userId: 'bob' }, { headers })).code).toBe('idempotency_mismatch')
  })

  test('of a request that found nothing finds nothing again', async () => {
    expect(await removeAll({ userId: 'alice' }, { headers })).toEqual({ matched: 0, deleted: 0, done: true })
    await remember('user:alice', ['later'])
    expect(await removeAll({ userId: 'alice' }, { headers })).toEqual({ matched: 0, deleted: 0, done: true })
    expect(await contents()).toEqual(['later'])
  })
})

test('a place outside the grant is forbidden, of another tenant nothing is found', async () => {
  await remember('user:alice', ['mine'])
  const narrow = { key: await tenant.keyFor(['memories:write'], ['user:bob', 'user:alice:work']) }
  for (const place of [{ userId: 'alice' }, { namespacePrefix: 'user' }, { namespace: 'user:alice' }])
    for (const dryRun of [true, false]) expect((await removeAll({ ...place, dryRun }, narrow)).code).toBe('forbidden')
  expect((await removeAll({ userId: 'alice' }, { key: await tenant.keyFor(['memories:read'], ['*']) })).code).toBe('forbidden')
  expect(await removeAll({ userId: 'alice' }, { key: (await here.tenant()).key })).toMatchObject({ deleted: 0 })
  expect(await contents()).toEqual(['mine'])
})

test.each<[object, string]>([
  [{}, 'namespace'],
  [{ userId: 'alice', namespace: 'user:alice' }, 'userId'],
  [{ namespacePrefix: 'user:' }, 'namespacePrefix'],
  [{ namespace: 'user' }, 'namespace'],
  [{ userId: 'a:b' }, 'userId'],
  [{ userId: 'alice', filter: {} }, 'filter'],
  [{ userId: 'alice', filter: { a: { eq: 1, like: 'x%' } } }, 'filter.a.like'],
  [{ userId: 'alice', filter: { OR: Array(51).fill({ a: { eq: 1 } }) } }, 'filter.OR'],
  [{ userId: 'alice', hard: 'yes' }, 'hard'],
  [{ userId: 'alice', cursor: 'x' }, 'cursor'],
  [{ userId: 'alice', ids: [] }, 'ids'],
])('%j is refused by name, and nothing goes', async (body, path) => {
  await remember('user:alice', ['stays'])
  const { status, errors } = await removeAll(body)
  expect([status, errors.map((e: { path: string }) => e.path)]).toEqual([400, [path]])
  expect(await contents()).toEqual(['stays'])
})
