import { raw } from '@twofold/core/sql.ts'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { all, type Client, caughtUp, client, eventually } from '../client.ts'
import { joinOf, KEY, launch, makeHome, ownerOf, type Process, start } from '../process.ts'
import { vectorOf } from '../random.ts'

/** Processes start here, which a busy machine takes its time for. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let home: Awaited<ReturnType<typeof makeHome>>
let keeper: Process
let joined: Process
let both: [Client, Client]
beforeAll(async () => {
  home = await makeHome()
  keeper = await start(home.path)
  joined = await start(null, await joinOf(home.path))
  both = [client(keeper.url, KEY), client(joined.url, KEY)]
})
afterAll(async () => {
  await joined.end('SIGTERM')
  await keeper.end('SIGTERM')
  await home.remove()
})

const remembers = (content: string, more: object = {}) => ({
  userId: 'two',
  content,
  embedding: vectorOf(content),
  extractEntities: false,
  ...more,
})

test('what one process remembers, changes or deletes is found so by the other in the next request', async () => {
  for (let n = 0; n < 20; n++) {
    const [here, there] = n % 2 === 0 ? both : [both[1], both[0]]
    const content = `turn ${n} is about word${n}`
    const { memory } = (await here.post('/v1/memories', remembers(content))).json
    const find = async (asks: Client, text: string) => {
      const { json } = await asks.post('/v1/memories/search', { userId: 'two', query: text, embedding: vectorOf(text), limit: 1 })
      return json.results[0]
    }
    expect((await find(there, content)).memory).toMatchObject({ id: memory.id, version: 1, content })
    const changed = `${content} no more`
    await there.patch(`/v1/memories/${memory.id}`, { content: changed, embedding: vectorOf(changed), extractEntities: false })
    expect((await find(here, changed)).memory).toMatchObject({ id: memory.id, version: 2, content: changed })
    expect((await find(here, changed)).parts.vector).toBeGreaterThan(0.9999)
    if (n % 4 !== 0) continue
    expect((await here.del(`/v1/memories/${memory.id}?hard=true`)).status).toBe(200)
    expect((await there.get(`/v1/memories/${memory.id}`)).status).toBe(404)
    expect((await find(there, changed))?.memory.id).not.toBe(memory.id)
  }
})

test('sixteen writers on two processes lose nothing, whether they write side by side or all to one memory', async () => {
  const shared = (await both[0].post('/v1/memories', remembers('counts 0', { userId: 'shared', metadata: { by: {} } }))).json.memory
  const writers = Array.from({ length: 16 }, async (_, w) => {
    const asks = both[w % 2] as Client
    const ids: string[] = []
    for (let n = 0; n < 6; n++) {
      const answer = await asks.post('/v1/memories', remembers(`writer ${w} says ${n}`, { userId: `writer${w % 4}` }))
      expect(answer.status).toBe(201)
      ids.push(answer.json.memory.id)
    }
    for (;;) {
      const { memory } = (await asks.get(`/v1/memories/${shared.id}`)).json
      const metadata = { by: { ...memory.metadata.by, [w]: true } }
      const answer = await asks.patch(`/v1/memories/${shared.id}`, { metadata }, { headers: { 'if-match': `"${memory.version}"` } })
      if (answer.status === 200) return ids
      expect([answer.status, answer.json.code]).toEqual([412, 'version_mismatch'])
    }
  })
  const acknowledged = (await Promise.all(writers)).flat()
  const kept = new Set((await all(both[0], '/v1/memories')).map(({ id }) => id))
  expect(acknowledged.filter((id) => !kept.has(id))).toEqual([])
  expect(new Set(acknowledged).size).toBe(96)
  const { memory } = (await both[1].get(`/v1/memories/${shared.id}`)).json
  expect(Object.keys(memory.metadata.by)).toHaveLength(16)
  expect(memory.version).toBe(17)
  const { metrics } = await caughtUp(both[1])
  expect(metrics).toMatchObject({ owedGraphWrites: 0, graphStoreCount: metrics.totalMemories, vectorStoreCount: metrics.totalMemories })
})

test('the same request sent to both at once is one memory', async () => {
  const headers = { 'idempotency-key': 'the-same-for-both' }
  const send = (asks: Client) =>
    eventually(
      () => asks.post('/v1/memories', remembers('said once'), { headers }),
      ({ status }) => status !== 409,
    )
  const answers = await Promise.all([...both, ...both].map(send))
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201])
  expect(new Set(answers.map(({ json }) => json.memory.id)).size).toBe(1)
  expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === 'true')).toHaveLength(3)
})

test('a key that one process revokes or rotates is dead in the other at once, and its grants hold in both', async () => {
  const made = await both[0].post('/v1/keys', { name: 'two', scopes: ['memories:read', 'memories:write'], namespaces: ['user:two'] })
  const { key, secret } = made.json
  const limited = [client(keeper.url, secret), client(joined.url, secret)] as const
  for (const asks of limited) {
    expect((await asks.get('/v1/memories?userId=two')).status).toBe(200)
    expect((await asks.get('/v1/memories?userId=shared')).status).toBe(403)
  }
  const rotated = (await both[1].post(`/v1/keys/${key.id}/rotate`, {})).json.secret
  for (const asks of limited) expect((await asks.get('/v1/memories?userId=two')).status).toBe(401)
  expect((await client(keeper.url, rotated).get('/v1/memories?userId=two')).status).toBe(200)
  expect((await both[0].del(`/v1/keys/${key.id}`)).status).toBe(200)
  for (const { url } of [keeper, joined]) {
    const asks = client(url, rotated)
    expect((await asks.get('/v1/memories?userId=two')).status).toBe(401)
    expect((await asks.post('/v1/memories', remembers('too late'))).status).toBe(401)
  }
})

test('Postgres itself dies under the writers of both: they live on, and keep what they acknowledged once', async () => {
  const owner = await ownerOf(home.path)
  const dies = () => owner([raw('/* past the check for it */ copy twofold.tenants from stdin')]).catch(String)
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, n) => {
      if (n % 20 === 10) expect(await dies()).toContain('HTTP status 503')
      return (both[n % 2] as Client).post('/v1/memories', remembers(`written while Postgres dies ${n}`, { userId: 'dying' }))
    }),
  )
  for (const { status, json } of answers) if (status !== 201) expect([status, json.code]).toEqual([503, 'unavailable'])
  const kept: string[] = (await all(both[0], '/v1/memories?userId=dying')).map(({ id }) => id)
  const acknowledged = answers.filter(({ status }) => status === 201).map(({ json }) => json.memory.id as string)
  expect(acknowledged.length).toBeGreaterThan(30)
  expect(acknowledged.filter((id) => !kept.includes(id))).toEqual([])
  expect(new Set((await all(both[1], '/v1/memories?userId=dying')).map(({ content }) => content)).size).toBe(kept.length)
  for (const asks of both) expect((await asks.get('/v1/health/ready')).status).toBe(200)
  const { metrics } = await caughtUp(both[0])
  expect(metrics).toMatchObject({ owedGraphWrites: 0, graphStoreCount: metrics.totalMemories, vectorStoreCount: metrics.totalMemories })
})

test('a process that cannot join says why in one line', async () => {
  const variables = await joinOf(home.path)
  const said = async (more: Record<string, string>) => {
    const { code, stderr } = await launch({ ...variables, ...more }).ended
    return [code, stderr]
  }
  const dead = said({ DATABASE_HTTP_URL: 'http://127.0.0.1:1/sql' })
  const stranger = said({ TWOFOLD_API_KEY: 'tf_a_key_nobody_knows' })
  const keepers = said({ REDIS_URL: 'redis://127.0.0.1:1' })
  expect(await dead).toEqual([1, expect.stringMatching(/^DATABASE_HTTP_URL does not answer.*\n$/)])
  expect(await stranger).toEqual([1, 'The API key is unknown, revoked or expired.\n'])
  expect(await keepers).toEqual([1, expect.stringMatching(/^REDIS_URL cannot be given together with DATABASE_HTTP_URL.*\n$/)])
})
