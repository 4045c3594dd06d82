import { sweep } from '@twofold/functions/fixture.ts'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Hosted, hosted, type Tenant } from '../hosted.ts'

let it: Hosted
let asks: Tenant
/** How far the service's clock is ahead. */
let ahead = 0
beforeAll(async () => {
  it = await hosted({ now: () => new Date(Date.now() + ahead) }, { LANGUAGE_MODEL: 'openai:test-language' })
})
beforeEach(async () => {
  asks = await it.tenant()
})
afterEach(() => {
  it.database.decide = undefined
  it.deps.settings.graphDeadlineMs = 10_000
})
afterAll(() => it.close())

/** While `work` runs the tables of the graph are not there. */
async function away<T>(work: () => Promise<T>): Promise<T> {
  await it.owner('alter table graph.nodes rename to nodes_away')
  try {
    return await work()
  } finally {
    await it.owner('alter table graph.nodes_away rename to nodes')
  }
}
const recovers = async () => {
  ahead += 60_000
  for (let i = 0; i < 4; i++) await sweep(it.deps)
}
const status = async () => (await asks.get('/api/persistence/status')).json
const nodes = async (value: string) =>
  (await asks.post('/v1/graph/query', { start: { value }, hops: 1 })).json.nodes.map((n: any) => n.content ?? n.value).sort()

describe('while the graph is away', () => {
  test('every kind of write is accepted and owed; what is owed is caught up with in the state it has by then', async () => {
    const add = async (content: string) => (await asks.post('/v1/memories', { userId: 'alice', content, waitFor: 'graph' })).json.memory.id
    const [changed, softly, forGood, restored] = [
      await add('Anna changes'),
      await add('Anna leaves'),
      await add('Anna vanishes'),
      await add('Anna returns'),
    ]
    await asks.del(`/v1/memories/${restored}`)
    await away(async () => {
      const answers = [
        await asks.post('/v1/memories', { userId: 'alice', content: 'Anna arrives' }),
        await asks.post('/v1/memories', { userId: 'alice', content: 'Anna waits', waitFor: 'graph' }),
        await asks.patch(`/v1/memories/${changed}`, { content: 'Anna changed', waitFor: 'graph' }),
        await asks.del(`/v1/memories/${softly}`),
        await asks.del(`/v1/memories/${forGood}?hard=true`),
        await asks.post(`/v1/memories/${restored}/restore`),
      ]
      expect(answers.map(({ status: code, json }) => [code, json.receipt.stores.graph.state, json.receipt.owed])).toEqual(
        [201, 201, 200, 200, 200, 200].map((code) => [code, 'owed', ['graph']]),
      )
      // The truth shows all of it at once.
      const { results } = (await asks.post('/v1/memories/search', { userId: 'alice', query: 'Anna' })).json
      expect(results.map((r: any) => r.memory.content).sort()).toEqual(['Anna arrives', 'Anna changed', 'Anna returns', 'Anna waits'])
      ahead += 7_000
      const search = (await asks.post('/v1/memories/search', { userId: 'alice', query: 'Anna', expand: { hops: 1 } })).json
      expect(search.degraded).toEqual(['graph'])
      expect(search.freshness.graphLagMs).toBeGreaterThanOrEqual(7_000)
      const query = await asks.post('/v1/graph/query', { start: { value: 'Anna' } })
      expect([query.status, query.json.code, query.headers.get('retry-after')]).toEqual([503, 'unavailable', '1'])
      await sweep(it.deps)
      const { metrics } = await status()
      expect(metrics.owedGraphWrites).toBeGreaterThanOrEqual(6)
      expect(metrics.deadLetters).toBe(0)
    })
    await recovers()
    expect(await status()).toMatchObject({ status: 'healthy', metrics: { owedGraphWrites: 0, graphStoreCount: 4, totalMemories: 4 } })
    expect(await nodes('Anna')).toEqual(['Anna', 'Anna arrives', 'Anna changed', 'Anna returns', 'Anna waits'])
    const search = (await asks.post('/v1/memories/search', { userId: 'alice', query: 'Anna', expand: { hops: 1 } })).json
    expect([search.degraded, search.freshness.graphLagMs]).toEqual([[], 0])
  })

  test('a write that the graph decides is refused, invisible from beginning to end, and as if it had never been', async () => {
    const body = {
      id: '0198c0de-0000-7000-8000-0000000000aa',
      userId: 'alice',
      key: 'wanted',
      content: 'Zoe was never here',
      onGraphFailure: 'rollback',
    }
    const headers = { 'idempotency-key': 'decided' }
    it.deps.settings.graphDeadlineMs = 1_500
    it.database.decide = ({ body: sent }) => (/insert into graph\.nodes/.test(sent) ? 'hang' : 'pass')
    const writing = asks.post('/v1/memories', body, { headers })
    await vi.waitUntil(() => it.database.seen.some(({ body: sent }) => /insert into graph\.nodes/.test(sent)), { timeout: 20_000 })
    const looks = [
      await asks.get(`/v1/memories/${body.id}`),
      await asks.get('/v1/memories?userId=alice&key=wanted&includeDeleted=true'),
      await asks.post('/v1/memories/search', { userId: 'alice', query: 'Zoe was never here' }),
      await asks.get(`/v1/memories/${body.id}/history`),
    ]
    const refused = await writing
    it.database.decide = undefined
    expect(looks.map(({ status: code }) => code)).toEqual([404, 200, 200, 404])
    expect(looks.map(({ text }) => /Zoe/.test(text))).toEqual([false, false, false, false])
    expect([refused.status, refused.json.code, refused.headers.get('retry-after')]).toEqual([503, 'unavailable', '1'])
    expect(refused.json.detail).toContain('nothing was stored')
    expect((await asks.get(`/v1/memories/${body.id}`)).status).toBe(404)
    const audit = await it.owner(`select count(*) as n from twofold.audit_log where target = $1`, [body.id])
    expect(audit).toEqual([{ n: '0' }])
    // Another may take the key at once, and the same request is decided anew.
    const other = await asks.post('/v1/memories', { userId: 'alice', key: 'wanted', content: 'another took it' })
    expect(other.status).toBe(201)
    await asks.del(`/v1/memories/${other.json.memory.id}?hard=true`)
    await recovers()
    const again = await asks.post('/v1/memories', body, { headers })
    expect([again.status, again.headers.get('idempotency-replayed'), again.json.receipt.owed]).toEqual([201, null, []])
    expect(await nodes('Zoe')).toEqual(['Zoe', 'Zoe was never here'])
  })

  test('a write that the graph decides and whose process died is decided by the sweep, either way', async () => {
    const write = async (content: string) => {
      const id = crypto.randomUUID()
      it.database.decide = ({ body: sent }) => (/insert into memories/.test(sent) ? 'pass' : 'cut before')
      const answer = await asks.post('/v1/memories', { id, userId: 'alice', content, onGraphFailure: 'rollback' })
      it.database.decide = undefined
      // The circuit that these cuts opened closes with the first answer after its pause.
      vi.useFakeTimers({ toFake: ['Date'] })
      vi.setSystemTime(Date.now() + 31_000)
      await it.deps.db.across([])
      vi.useRealTimers()
      expect([answer.status, answer.json.code]).toEqual([503, 'unavailable'])
      expect(answer.json.detail).toContain('will be kept or taken back')
      return id
    }
    await asks.get('/v1/memories')
    const kept = await write('Yara is kept')
    await recovers()
    expect((await asks.get(`/v1/memories/${kept}`)).json.memory.content).toBe('Yara is kept')
    expect(await nodes('Yara')).toEqual(['Yara', 'Yara is kept'])
    const taken = await write('Xaver is taken back')
    await away(recovers)
    expect((await asks.get(`/v1/memories/${taken}`)).status).toBe(404)
    await recovers()
    expect((await status()).metrics).toMatchObject({ totalMemories: 1, graphStoreCount: 1, owedGraphWrites: 0 })
    expect((await asks.post('/v1/memories', { id: taken, userId: 'alice', content: 'the id is free again' })).status).toBe(201)
  })
})
