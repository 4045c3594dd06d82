import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Client, caughtUp, eventually } from '../client.ts'
import { openService, type Service } from './open.ts'

/** What an agent does with the graph in a day's work, on the service as people start it. */

/** Processes start here, which a busy machine takes its time for. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let service: Service
let asks: Client
beforeAll(async () => {
  service = await openService()
  asks = service.asks
})
afterAll(() => service.close())

test('a session of work leaves decisions, promises and connections that are found again from any of them', async () => {
  const place = { userId: service.own('ada'), sessionId: service.own('monday') }
  const subject = `user:${place.userId}`
  const apollo = { type: 'project', value: 'Apollo' }
  const grace = { type: 'person', value: 'Grace Hopper' }
  const began = { id: place.sessionId, appName: 'assistant', userId: place.userId, state: { 'temp:tab': 1 } }
  expect((await asks.post('/v1/sessions', began)).status).toBe(201)
  await asks.post('/v1/graph/links', {
    links: [
      { from: { ...grace, subject }, type: 'leads', to: { ...apollo, subject }, properties: { since: 2024 } },
      { from: { ...apollo, subject }, type: 'runs_on', to: { type: 'product', value: 'Postgres', subject } },
    ],
  })
  const decided = await asks.post('/v1/decisions', {
    ...place,
    ...{ title: 'Keep Apollo on Postgres', rationale: 'One truth for everything', alternatives: ['A graph alone'], about: [apollo] },
  })
  const promised = await asks.post('/v1/commitments', {
    ...place,
    ...{ title: 'Send Grace the budget', owner: 'Ada', dueAt: '2000-01-01T00:00:00Z', about: [grace, apollo] },
  })
  await asks.post('/v1/patterns', { ...place, name: 'Budget review', description: 'Every Monday before lunch', about: [apollo] })
  expect([decided.status, promised.status]).toEqual([201, 201])
  await caughtUp(asks)

  const entity = async (q: string) => (await asks.get(`/v1/graph/entities?q=${q}&subject=${subject}`)).json.items[0]
  const { id } = await entity('Grace')
  const related = (await asks.get(`/v1/graph/entities/${id}/related?hops=2`)).json.items
  expect(related).toEqual(expect.arrayContaining([expect.objectContaining({ value: 'Apollo', hops: 1 })]))
  expect(related.map((e: any) => e.value)).toContain('Postgres')
  const context = (await asks.get(`/v1/graph/entities/${id}/context`)).json
  expect(context.commitments.map((m: any) => m.title)).toEqual(['Send Grace the budget'])
  expect(context.relations).toContainEqual(expect.objectContaining({ type: 'leads', properties: expect.objectContaining({ since: 2024 }) }))

  const { results } = (
    await asks.post('/v1/memories/recall', {
      userId: place.userId,
      query: 'the budget of Apollo',
      memoryTypes: ['decision', 'commitment', 'pattern'],
    })
  ).json
  expect(results.map((r: any) => r.memory.kind).sort()).toEqual(['commitment', 'decision', 'pattern'])

  const overdue = async () => (await asks.get(`/v1/commitments?userId=${place.userId}&status=overdue`)).json.items.map((m: any) => m.title)
  expect(await overdue()).toEqual(['Send Grace the budget'])
  const completed = await asks.post(`/v1/commitments/${promised.json.memory.id}/complete`, { outcome: 'She has it' })
  expect([completed.status, completed.json.memory.version]).toEqual([200, 2])
  expect(await overdue()).toEqual([])

  expect((await asks.post(`/v1/sessions/${place.sessionId}/terminate`)).json.session).toMatchObject({ status: 'terminated', state: {} })
  const over = async () =>
    (
      await asks.post('/v1/graph/query', {
        start: { memoryId: decided.json.memory.id },
        via: ['PRODUCED'],
        hops: 2,
        namespacePrefix: subject,
      })
    ).json
  const { nodes } = await eventually(over, (seen) => seen.nodes.some((node: any) => node.status === 'terminated'))
  expect(nodes.map((node: any) => node.sessionId ?? node.memoryKind).sort()).toEqual(
    ['commitment', 'decision', 'pattern', place.sessionId].sort(),
  )
  const { metrics } = await caughtUp(asks)
  expect(metrics).toMatchObject({ graphStoreCount: metrics.totalMemories, syncPercentage: 100 })
})
