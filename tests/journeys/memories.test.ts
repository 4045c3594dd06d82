import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { all, type Client, caughtUp, client, eventually } from '../client.ts'
import { openService, type Service } from './open.ts'

/** What people do with it, on the service as they start it, with the models that come with it. */

/** Processes start here, which a busy machine takes its time for. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let service: Service
let asks: Client
beforeAll(async () => {
  service = await openService()
  asks = service.asks
  // The model is loaded by the first who needs it.
  await eventually(
    async () => (await asks.post('/v1/memories/search', { userId: 'nobody', query: 'anything' })).json.degraded,
    (degraded) => degraded.length === 0,
  )
})
afterAll(() => service.close())

const example = async (name: string) => JSON.parse(await readFile(new URL(`../../examples/${name}.json`, import.meta.url), 'utf8'))
const found = async (asks: Client, query: object): Promise<string[]> =>
  (await asks.post('/v1/memories/search', query)).json.results.map((result: any) => result.memory.content)

test('a fact is remembered, found by meaning, changed, found as it is and as it was, deleted and brought back', async () => {
  const place = { userId: service.own('alice') }
  const made = await asks.post('/v1/memories', {
    ...place,
    content: 'Our head office is in Lisbon, near the river.',
    key: 'office',
    waitFor: 'graph',
  })
  expect([made.status, made.headers.get('etag')]).toEqual([201, '"1"'])
  expect(made.json.receipt).toMatchObject({ vectorWriteSuccess: true, graphWriteSuccess: true, owed: [] })
  const { id } = made.json.memory
  await asks.post('/v1/memories', { ...place, content: 'The cat is called Biscuit and sleeps all day.' })
  const where = { ...place, query: 'Where do we work?', limit: 1 }
  expect(await found(asks, where)).toEqual(['Our head office is in Lisbon, near the river.'])

  const moved = await asks.patch(
    `/v1/memories/${id}`,
    { content: 'Our head office has moved to Porto.' },
    { headers: { 'if-match': '"1"' } },
  )
  expect([moved.status, moved.headers.get('etag')]).toEqual([200, '"2"'])
  expect(await found(asks, where)).toEqual(['Our head office has moved to Porto.'])
  expect(await found(asks, { ...where, asOf: made.json.memory.createdAt })).toEqual(['Our head office is in Lisbon, near the river.'])
  const late = await asks.patch(`/v1/memories/${id}`, { content: 'Our head office is in Faro.' }, { headers: { 'if-match': '"1"' } })
  expect([late.status, late.json.code, late.json.currentVersion]).toEqual([412, 'version_mismatch', 2])
  const changes = (await asks.get(`/v1/memories/${id}/diff?from=1&to=2`)).json.patch
  expect(changes).toContainEqual({ op: 'replace', path: '/content', value: 'Our head office has moved to Porto.' })

  expect((await asks.del(`/v1/memories/${id}`)).json).toMatchObject({ deleted: true, hard: false })
  expect((await asks.get(`/v1/memories/${id}`)).status).toBe(404)
  expect(await found(asks, where)).toEqual(['The cat is called Biscuit and sleeps all day.'])
  const restored = await asks.post(`/v1/memories/${id}/restore`)
  expect(restored.json.memory).toMatchObject({ content: 'Our head office has moved to Porto.', key: 'office', version: 4, deletedAt: null })
  expect(await found(asks, where)).toEqual(['Our head office has moved to Porto.'])
  const history = (await asks.get(`/v1/memories/${id}/history`)).json.items
  expect(history.map(({ version, action }: any) => [version, action])).toEqual([
    [4, 'memories.restore'],
    [3, 'memories.delete'],
    [2, 'memories.update'],
    [1, 'memories.add'],
  ])

  expect((await asks.del(`/v1/memories/${id}?hard=true`)).json).toMatchObject({ deleted: true, hard: true })
  expect((await asks.get(`/v1/memories/${id}/history`)).status).toBe(404)
  expect((await asks.get(`/v1/memories?userId=${place.userId}`)).json.items).toHaveLength(1)
})

test('a whole conversation is taken in at once, answers questions by meaning, words and connection, and both stores agree', async () => {
  const namespace = `project:${service.own('example')}`
  const { turns } = await example('conversation')
  const questions: { question: string; answeredBy: string[]; leadsTo?: string[] }[] = await example('questions')
  const items = turns.map(({ speaker, at, text }: any) => ({
    namespace,
    content: text,
    speaker,
    occurredAt: at,
    type: 'episodic',
  }))
  const headers = { 'idempotency-key': service.own('the-whole-conversation') }
  const taken = (await asks.post('/v1/memories/batch', { items }, { headers })).json.items
  expect(taken.filter(({ ok }: any) => !ok)).toEqual([])
  const again = await asks.post('/v1/memories/batch', { items }, { headers })
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect(again.json.items.map(({ memory }: any) => memory.id)).toEqual(taken.map(({ memory }: any) => memory.id))
  expect(await all(asks, `/v1/memories?namespace=${namespace}`)).toHaveLength(turns.length)

  const { metrics } = await caughtUp(asks)
  expect(metrics).toMatchObject({
    owedGraphWrites: 0,
    graphStoreCount: metrics.totalMemories,
    vectorStoreCount: metrics.totalMemories,
    syncPercentage: 100,
  })
  for (const { question, answeredBy, leadsTo = [] } of questions) {
    const query = { namespace, query: question, limit: 5, expand: { hops: 2 } }
    const { results } = (await asks.post('/v1/memories/search', query)).json
    const times = results.map(({ memory }: any) => Date.parse(memory.occurredAt))
    for (const time of answeredBy) expect([question, times.slice(0, 5).includes(Date.parse(time))]).toEqual([question, true])
    for (const time of leadsTo) expect([question, times.includes(Date.parse(time))]).toEqual([question, true])
  }
})

test('two users of one product, each with his own key, never meet: not by search, list, id, entity or graph', async () => {
  const said = 'Project Apollo is led by Maria Santos at Acme Corporation.'
  const users = await Promise.all(
    ['bob', 'bobby'].map(async (each) => {
      const name = service.own(each)
      const made = await asks.post('/v1/keys', {
        name,
        scopes: ['memories:read', 'memories:write', 'graph:read'],
        namespaces: [`user:${name}`],
      })
      return { name, asks: client(service.url, made.json.secret) }
    }),
  )
  const ids = await Promise.all(
    users.map(
      async ({ name, asks }) =>
        (await asks.post('/v1/memories', { userId: name, content: `${said} Says ${name}.`, waitFor: 'graph' })).json.memory.id as string,
    ),
  )
  for (const [i, { name, asks }] of users.entries()) {
    const [own, other] = [ids[i] as string, ids[1 - i] as string]
    const stranger = users[1 - i]?.name as string
    expect(await found(asks, { query: 'Who leads Apollo?', limit: 50, expand: { hops: 3 } })).toEqual([`${said} Says ${name}.`])
    expect((await asks.get('/v1/memories')).json.items.map(({ id }: any) => id)).toEqual([own])
    for (const answer of [
      await asks.get(`/v1/memories/${other}`),
      await asks.patch(`/v1/memories/${other}`, { content: 'Mine now.' }),
      await asks.del(`/v1/memories/${other}`),
    ])
      expect([answer.status, answer.json.code]).toEqual([404, 'not_found'])
    expect((await asks.get(`/v1/memories?userId=${stranger}`)).status).toBe(403)
    expect((await asks.post('/v1/memories', { userId: stranger, content: 'Not mine to say.' })).status).toBe(403)
    const entities = (await asks.get('/v1/graph/entities')).json.items
    expect(entities.length).toBeGreaterThan(0)
    expect(new Set(entities.map(({ subject }: any) => subject))).toEqual(new Set([`user:${name}`]))
    const { nodes } = (await asks.post('/v1/graph/query', { start: { memoryId: own }, hops: 4, namespacePrefix: `user:${name}` })).json
    expect(nodes.length).toBeGreaterThan(1)
    expect(JSON.stringify(nodes)).not.toContain(`Says ${stranger}.`)
    expect((await asks.post('/v1/graph/query', { start: { memoryId: other }, hops: 1, namespacePrefix: `user:${name}` })).status).toBe(404)
  }
})
