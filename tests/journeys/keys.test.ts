import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Client, caughtUp, eventually } from '../client.ts'
import { openService, type Service } from './open.ts'

/** What an agent does with facts that have a name, on the service as people start it. */

/** A process starts here, which a busy machine takes its time for. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let service: Service
let asks: Client
beforeAll(async () => {
  service = await openService()
  asks = service.asks
})
afterAll(() => service.close())

test('preferences are kept by name, changed by two agents at once, found, looked back at, and taken away with their user', async () => {
  const [alice, bob] = [service.own('alice'), service.own('bob')]
  const preferences = `user:${alice}:preferences`
  const at = (key: string, namespace = preferences) => `/v1/namespaces/${encodeURIComponent(namespace)}/keys/${encodeURIComponent(key)}`
  const both = await Promise.all(['light', 'dark'].map((mode) => asks.call('PUT', at('theme'), { value: { mode }, kind: 'preference' })))
  expect(both.map(({ status, json }) => [status, json.memory.version]).sort()).toEqual([
    [200, 2],
    [201, 1],
  ])
  const theme = (await asks.get(at('theme'))).json.memory
  const set = await asks.call(
    'PUT',
    at('theme'),
    { value: { mode: 'high contrast' }, waitFor: 'graph' },
    { headers: { 'if-match': '"2"' } },
  )
  expect([set.status, set.json.receipt.graphWriteSuccess]).toEqual([200, true])
  expect((await asks.get(`${at('theme')}?version=2`)).json.memory).toEqual(theme)
  expect((await asks.get(`${at('theme')}/history`)).json.items.map((v: { version: number }) => v.version)).toEqual([3, 2, 1])

  await asks.call('PUT', at('city', `user:${alice}`), { value: 'Lisbon' })
  await asks.call('PUT', at('city', `user:${bob}`), { value: 'Porto' })
  const namespaces = async (user: string) => (await asks.get(`/v1/namespaces?prefix=user:${user}`)).json.items
  expect((await namespaces(alice)).map(({ name, counts }: any) => [name, counts.memories])).toEqual([
    [`user:${alice}`, 1],
    [preferences, 1],
  ])
  const found = await eventually(
    async () =>
      (await asks.post('/v1/memories/search', { userId: alice, query: 'Which contrast does the user like?', limit: 1 })).json.results,
    (results) => results.length > 0,
  )
  expect(found[0].memory.value).toEqual({ mode: 'high contrast' })

  await asks.del(at('theme'))
  expect((await asks.get(at('theme'))).status).toBe(404)
  expect((await asks.call('PUT', at('theme'), { value: 'none' })).json.memory).toMatchObject({ id: theme.id, version: 5 })

  const would = await asks.post('/v1/memories/delete', { userId: alice, hard: true, dryRun: true })
  expect(would.json).toEqual({ matched: 2, deleted: 0, done: true })
  expect((await asks.post('/v1/memories/delete', { userId: alice, hard: true })).json).toEqual({ matched: 2, deleted: 2, done: true })
  expect([...(await namespaces(alice)), ...(await namespaces(bob))].map(({ name }) => name)).toEqual([`user:${bob}`])
  const { metrics } = await caughtUp(asks)
  expect(metrics).toMatchObject({ graphStoreCount: metrics.totalMemories, vectorStoreCount: metrics.totalMemories })
})
