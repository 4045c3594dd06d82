import { raw } from '@twofold/core/sql.ts'
import { listen } from '@twofold/local/http/listen.ts'
import { redisEndpoint } from '@twofold/local/redis/endpoint.ts'
import { memoryStore, type RedisStore } from '@twofold/local/redis/memory.ts'
import { providerServer } from '@twofold/models/fixture.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Client, caughtUp, client, eventually } from '../client.ts'
import { KEY, makeHome, ownerOf, start } from '../process.ts'
import { proxy } from '../proxy.ts'
import { counts, type Owner, tables } from './snapshot.ts'

let asks: Client
let owner: Owner
let store: RedisStore
let redis: Awaited<ReturnType<typeof proxy>>
const opened: { close(): Promise<void> }[] = []

beforeAll(async () => {
  const keep = <T extends { close(): Promise<void> }>(each: T): T => {
    opened.unshift(each)
    return each
  }
  const home = await makeHome()
  keep({ close: home.remove })
  const provider = keep(await providerServer())
  store = memoryStore({ maxBytes: 10_000_000 })
  redis = keep(await proxy(`${keep(await listen({ redis: redisEndpoint({ store, token: 'test' }) }, { log: console.error })).url}/redis`))
  const variables = {
    EMBEDDING_MODEL: 'openai:test-embedding',
    EMBEDDING_DIMENSIONS: '64',
    LANGUAGE_MODEL: 'openai:test-language',
    OPENAI_BASE_URL: provider.url,
    OPENAI_API_KEY: 'test',
    UPSTASH_REDIS_REST_URL: redis.url,
    UPSTASH_REDIS_REST_TOKEN: 'test',
    LOG_LEVEL: 'silent',
  }
  const service = await start(home.path, variables)
  keep({ close: async () => void (await service.end('SIGTERM')) })
  asks = client(service.url, KEY)
  const asOwner = await ownerOf(home.path)
  owner = async (query, params = []) => (await asOwner([{ ...raw(query), params: [...params] }]))[0] as Awaited<ReturnType<Owner>>
})
afterAll(async () => {
  for (const each of opened) await each.close()
})

/** Tables in which some row, read as text, has one of these in it. */
async function holding(traces: readonly string[]): Promise<string[]> {
  const each = (await tables(owner)).map(
    (name) =>
      `select '${name}' as name where exists (select from ${name} t, unnest($1::text[]) w where position(lower(w) in lower(t::text)) > 0)`,
  )
  return (await owner(each.join(' union all '), [`{${traces.map((trace) => JSON.stringify(trace)).join(',')}}`])).map(
    (row) => row.name as string,
  )
}

/** The beginnings of the vectors that these memories have or had, as a row shows them. */
const vectorsOf = async (id: string): Promise<string[]> =>
  (
    await owner(
      `select left(embedding::text, 60) as v from twofold.embeddings where memory_id = $1::uuid
       union select left(embedding::text, 60) from twofold.past_embeddings where memory_id = $1::uuid`,
      [id],
    )
  ).map((row) => row.v as string)

/** Vectors that were ever put into the cache and are still there. */
async function cachedVectors(): Promise<number> {
  const keys = new Set(redis.seen.flatMap(({ body }) => body.match(/tf1:e:[\w-]+/g) ?? []))
  if (keys.size === 0) return 0
  const [values] = await store.run([{ name: 'MGET', keys: [...keys] }], false)
  return (values as (string | null)[]).filter((value) => value !== null).length
}

/** Everything the queue, the relay and the collector have to do is done. */
const settled = async () => {
  await caughtUp(asks)
  await eventually(
    () => owner('select (select count(*) from twofold.collectable)::int + (select count(*) from queue.messages)::int as n'),
    ([row]) => Number(row?.n) === 0,
  )
  await caughtUp(asks)
}

/** What stays of a deleted memory: that there was one, who deleted it, and the fence against late writers. None of it says what it said. */
const STAYS = ['twofold.ledger', 'twofold.audit_log', 'twofold.idempotency_keys', 'graph.nodes']
const without = (all: Record<string, number>) => Object.fromEntries(Object.entries(all).filter(([name]) => !STAYS.includes(name)))

const SECRETS = ['zanzibar', 'quetzal', 'Wilhelmina', 'ocelot', 'marzipan', 'xylophone']
const first = {
  userId: 'gone',
  key: 'marzipan key',
  content: 'Wilhelmina keeps a zanzibar quetzal',
  summary: 'on the ocelot',
  metadata: { marzipan: ['xylophone'] },
  tags: ['xylophone'],
  entities: [{ type: 'topic', value: 'Ocelot breeding' }],
  waitFor: 'graph',
}

test('a hard deletion leaves neither text nor vector in any table of any schema, nor a vector in the cache', async () => {
  await settled()
  const before = without(await counts(owner))
  const headers = { 'idempotency-key': 'made' }
  const { memory } = (await asks.post('/v1/memories', first, { headers })).json
  await asks.patch(`/v1/memories/${memory.id}`, { content: 'Wilhelmina sold the quetzal in zanzibar' })
  await asks.patch(
    `/v1/memories/${memory.id}`,
    { content: 'Wilhelmina mourns the ocelot', summary: null },
    { headers: { 'idempotency-key': 'changed' } },
  )
  await settled()
  const vectors = await vectorsOf(memory.id)
  expect(vectors).toHaveLength(3)
  expect(await cachedVectors()).toBe(3)
  // The scan sees what there is to see.
  const there = await holding([...SECRETS, ...vectors])
  for (const table of ['memories', 'memory_versions', 'embeddings', 'past_embeddings', 'entities'])
    expect(there).toContain(`twofold.${table}`)
  expect(there).toContain('graph.nodes')

  expect((await asks.del(`/v1/memories/${memory.id}?hard=true`)).json).toMatchObject({ deleted: true, hard: true })
  // At once in the truth and in the cache; in the graph, in the collector's time, once it has caught up.
  expect((await holding([...SECRETS, ...vectors])).filter((found) => !/^(graph|twofold\.entit)/.test(found))).toEqual([])
  expect(await cachedVectors()).toBe(0)
  await settled()
  expect(await holding([...SECRETS, ...vectors])).toEqual([])
  expect(without(await counts(owner))).toEqual(before)
  // Nor can the same request, sent again by a client that missed the answer, make it rise.
  expect((await asks.post('/v1/memories', first, { headers })).status).toBe(410)
  const search = await asks.post('/v1/memories/search', { userId: 'gone', query: 'quetzal' })
  expect(search.json.results).toEqual([])
})

test('a hard deletion of what was deleted softly, and of what still waited for the graph, leaves nothing either', async () => {
  await settled()
  const before = without(await counts(owner))
  const soft = (await asks.post('/v1/memories', first)).json.memory
  await asks.del(`/v1/memories/${soft.id}`)
  const waiting = (await asks.post('/v1/memories', { ...first, waitFor: undefined })).json.memory
  const vectors = [...(await vectorsOf(soft.id)), ...(await vectorsOf(waiting.id))]
  for (const { id } of [soft, waiting]) expect((await asks.del(`/v1/memories/${id}?hard=true`)).status).toBe(200)
  await settled()
  expect(await holding([...SECRETS, ...vectors])).toEqual([])
  expect(without(await counts(owner))).toEqual(before)
})

test('what is changed while it is deleted for good does not rise again', async () => {
  await settled()
  const before = without(await counts(owner))
  const { memory } = (await asks.post('/v1/memories', first)).json
  const changes = Array.from({ length: 12 }, (_, n) => asks.patch(`/v1/memories/${memory.id}`, { content: `quetzal number ${n}` }))
  const deletion = asks.del(`/v1/memories/${memory.id}?hard=true`)
  const answers = await Promise.all([...changes, deletion])
  expect(answers.map(({ status }) => status).filter((status) => status !== 200 && status !== 404)).toEqual([])
  expect((await deletion).status).toBe(200)
  expect((await asks.get(`/v1/memories/${memory.id}`)).status).toBe(404)
  await settled()
  expect(await holding(SECRETS)).toEqual([])
  expect(without(await counts(owner))).toEqual(before)
})

test('a write taken back because the graph did not take it leaves nothing', async () => {
  await settled()
  const before = without(await counts(owner))
  await owner('alter table graph.nodes add constraint refusing check (false) not valid')
  const answer = await asks.post('/v1/memories', { ...first, onGraphFailure: 'rollback' })
  await owner('alter table graph.nodes drop constraint refusing')
  expect([answer.status, answer.json.code]).toEqual([503, 'unavailable'])
  await settled()
  expect(await holding(SECRETS)).toEqual([])
  expect(without(await counts(owner))).toEqual(before)
})
