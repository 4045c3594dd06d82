import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { all, type Client, caughtUp } from '../client.ts'
import { openService, type Service } from './open.ts'

/** What an agent does in a session and what is left of it, on the service as people start it. */

/** Processes start here, which a busy machine takes its time for. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let service: Service
let asks: Client
beforeAll(async () => {
  service = await openService()
  asks = service.asks
})
afterAll(() => service.close())

test('from a session to its tasks, from a task to its events and memories, from a memory back to the session', async () => {
  const [ada, monday, tuesday] = [service.own('ada'), service.own('monday'), service.own('tuesday')]
  const session = `/v1/sessions/${monday}`
  await asks.post('/v1/sessions', { id: monday, appName: 'assistant', userId: ada, state: { 'temp:tab': 1, 'user:city': 'Turin' } })
  expect((await asks.patch(session, { status: 'active' })).status).toBe(200)
  const memories: Record<string, string> = {}
  for (const task of ['find a flat', 'book a train']) {
    await asks.post(`${session}/events`, {
      events: [
        { type: 'asked', task },
        { type: 'tool', name: 'search' },
      ],
      taskId: task,
    })
    const made = await asks.post('/v1/memories', { userId: ada, content: `What came of it: ${task}`, sessionId: monday, taskId: task })
    memories[task] = made.json.memory.id
    await asks.post(`${session}/events`, {
      ...{ event: { type: 'remembered', memory: memories[task] }, taskId: task },
      stateDelta: { 'session:last': task, 'session:done': { [task]: true } },
    })
  }
  await caughtUp(asks)
  const { state, eventCount } = (await asks.get(session)).json.session
  const done = { 'find a flat': true, 'book a train': true }
  expect([state, eventCount]).toEqual([{ 'temp:tab': 1, 'user:city': 'Turin', 'session:last': 'book a train', 'session:done': done }, 6])

  const events = await all(asks, `${session}/events`)
  expect(events.map((e) => [e.seq, e.taskId])).toEqual([1, 2, 3, 4, 5, 6].map((seq) => [seq, seq < 4 ? 'find a flat' : 'book a train']))
  const tasks = [...new Set(events.map((e) => e.taskId))]
  for (const task of tasks) {
    const its = await all(asks, `${session}/events?taskId=${encodeURIComponent(task)}`)
    expect(its.map((e) => e.event.type)).toEqual(['asked', 'tool', 'remembered'])
    const made = await all(asks, `/v1/memories?userId=${ada}&sessionId=${monday}&taskId=${encodeURIComponent(task)}`)
    expect(made.map((m) => m.id)).toEqual([memories[task]])
    expect(its.at(-1).event.memory).toBe(made[0].id)
    const { nodes } = (await asks.post('/v1/graph/query', { start: { memoryId: made[0].id }, via: ['PRODUCED'], hops: 2 })).json
    expect(nodes.map((n: any) => n.sessionId ?? n.id).sort()).toEqual([monday, ...Object.values(memories)].sort())
  }

  expect((await asks.post(`${session}/terminate`)).json.session.state).not.toHaveProperty(['temp:tab'])
  expect((await asks.patch(session, { status: 'archived' })).json.session).toMatchObject({ status: 'archived', eventCount: 6 })
  await asks.post('/v1/sessions', { id: tuesday, appName: 'assistant', userId: ada })
  expect((await asks.get(`/v1/sessions/${tuesday}`)).json.session.state).toEqual({ 'user:city': 'Turin' })
  expect((await all(asks, `/v1/sessions?userId=${ada}`)).map((s) => [s.id, s.status])).toEqual([
    [monday, 'archived'],
    [tuesday, 'created'],
  ])
  expect((await asks.del(session)).status).toBe(200)
  expect((await all(asks, `/v1/memories?userId=${ada}&sessionId=${monday}`)).length).toBe(0)
  const kept = await all(asks, `/v1/memories?userId=${ada}&taskId=${encodeURIComponent('find a flat')}`)
  expect(kept.map((m) => [m.id, m.sessionId])).toEqual([[memories['find a flat'], null]])
})
