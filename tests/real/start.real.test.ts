import { readdir } from 'node:fs/promises'
import { providerServer } from '@twofold/models/fixture.ts'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type Client, caughtUp, client, eventually } from '../client.ts'
import { type Line, lineTo } from '../line.ts'
import { KEY, launch, type Process, start, troubles } from '../process.ts'
import { openParts, type Parts } from './parts.ts'

/** Processes start here, which a busy machine takes its time for. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

/** Where nobody listens. */
const NOWHERE = '127.0.0.1:9'
const dead = (url: string) => url.replace(/127\.0\.0\.1:\d+/, NOWHERE)

let parts: Parts
let models: Record<string, string>
const opened: { close(): unknown }[] = []
beforeAll(async () => {
  parts = await openParts()
  const provider = await providerServer()
  opened.push(provider)
  models = {
    EMBEDDING_MODEL: 'openai:test-embedding',
    EMBEDDING_DIMENSIONS: '64',
    OPENAI_BASE_URL: provider.url,
    OPENAI_API_KEY: 'test',
    LOG_LEVEL: 'silent',
    // Nothing is shown by waiting for it to close again.
    BREAKER_RECOVERY_MS: '5000',
  }
})
afterAll(async () => {
  for (const each of opened) await each.close()
  await parts.close()
})

let home: string
beforeEach(async () => {
  home = await parts.home()
})
const all = () => ({ ...models, ...parts.postgres, ...parts.redis, ...parts.neo4j, ...parts.queue })
const remember = (asks: Client, content: string, more: object = {}) =>
  asks.post('/v1/memories', { userId: 'alice', content, extractEntities: false, entities: [{ type: 'person', value: 'Anna' }], ...more })
const status = async (asks: Client) => (await asks.get('/api/persistence/status')).json

/** Runs `work` against a service with these variables, and answers what it said on standard error. */
async function serving(variables: Record<string, string>, work: (asks: Client, service: Process) => Promise<unknown>): Promise<string> {
  const service = await start(home, variables)
  const failure = await work(client(service.url, KEY), service).then(
    () => null,
    (error: Error) => error,
  )
  const ended = await service.end('SIGTERM')
  const { code, stdout, stderr } = ended
  if (failure) throw new Error(`${failure.message}\n${stderr}`, { cause: failure })
  expect(code).toBe(0)
  expect(stderr + stdout).not.toContain('hunter2')
  return troubles(ended).join('\n')
}

test('with every part a real one nothing embedded is made, nothing is said, and all of them are used', async () => {
  const said = await serving(all(), async (asks) => {
    // The first write to a Neo4j that has just started takes longer than a caller waits.
    await remember(asks, 'Anna likes milk')
    await caughtUp(asks)
    const { status: code, json } = await remember(asks, 'Anna likes tea', { waitFor: 'graph' })
    expect([code, json.receipt.stores.graph.state]).toEqual([201, 'written'])
    const rows = await parts.owner(`select content, current_setting('port') as port from twofold.memories order by content`)
    const { port } = new URL(process.env.TEST_DATABASE_URL as string)
    expect(rows).toEqual(['Anna likes milk', 'Anna likes tea'].map((content) => ({ content, port })))
    expect(await parts.owner(`select count(*)::int as nodes from graph.nodes`)).toEqual([{ nodes: 0 }])
    const { metrics, stores } = await caughtUp(asks)
    expect(metrics).toMatchObject({ totalMemories: 2, graphStoreCount: 2, owedGraphWrites: 0 })
    expect([stores.vectorStore.healthy, stores.graphStore.healthy, stores.cache.healthy]).toEqual([true, true, true])
  })
  expect(said).toBe('')
  expect((await readdir(home)).sort()).not.toContain('store')
})

test('without Postgres it does not start, and says so in one sentence that names the variable and no secret', async () => {
  const { DATABASE_URL, DATABASE_OWNER_URL } = parts.postgres
  const wrong = new URL(DATABASE_URL)
  wrong.pathname = '/nothing_here'
  const cases: [Record<string, string>, RegExp][] = [
    [{ DATABASE_URL: dead(DATABASE_URL) }, /^Postgres at DATABASE_URL cannot be reached: connect ECONNREFUSED 127\.0\.0\.1:9\n$/],
    [{ DATABASE_OWNER_URL: dead(DATABASE_OWNER_URL) }, /^Postgres at DATABASE_OWNER_URL cannot be reached: connect ECONNREFUSED [^\n]+\n$/],
    [{ DATABASE_URL: wrong.href }, /^Postgres at DATABASE_URL cannot be reached: database "nothing_here" does not exist\n$/],
  ]
  for (const [variables, said] of cases) {
    const ended = await launch({ TWOFOLD_HOME: home, ...all(), ...variables }).ended
    expect([ended.code, ended.stdout]).toEqual([1, ''])
    expect(ended.stderr).toMatch(said)
  }
})

test('what is not there at start is named with its variable, the service runs without it, and uses it when it comes', async () => {
  const lines = {
    redis: await lineTo(parts.redis.REDIS_URL),
    neo4j: await lineTo(parts.neo4j.NEO4J_URI),
    queue: await lineTo(parts.queue.AWS_ENDPOINT_URL_SQS),
  }
  opened.push(...Object.values(lines).map((line) => ({ close: () => line.cut() })))
  const variables = {
    ...all(),
    REDIS_URL: lines.redis.url.replace('redis://', 'redis://default:hunter2@'),
    NEO4J_URI: lines.neo4j.url,
    AWS_ENDPOINT_URL_SQS: lines.queue.url,
  }
  const said = await serving(variables, async (asks) => {
    const { status: code, json } = await remember(asks, 'Anna comes first', { waitFor: 'graph' })
    expect([code, json.receipt.stores.graph.state]).toEqual([201, 'owed'])
    const found = await asks.post('/v1/memories/search', { userId: 'alice', query: 'Anna comes first', expand: { hops: 1 } })
    expect([found.status, found.json.results[0].memory.id, found.json.degraded]).toEqual([200, json.memory.id, ['graph']])
    const without = await status(asks)
    expect(without.status).toBe('degraded')
    expect([without.stores.graphStore.available, without.stores.cache.available]).toEqual([false, false])
    for (const line of Object.values(lines)) await line.open()
    const back = await eventually(
      () => status(asks),
      ({ status: now, metrics }) => now === 'healthy' && metrics.owedGraphWrites === 0,
    )
    expect(back).toMatchObject({ status: 'healthy', metrics: { owedGraphWrites: 0 } })
    expect((await remember(asks, 'Anna comes again', { waitFor: 'graph' })).json.receipt.stores.graph.state).toBe('written')
  })
  expect(said.split('\n').sort()).toEqual([
    expect.stringMatching(/^Neo4j at NEO4J_URI cannot be reached: .+; what the graph is owed waits until it can$/),
    expect.stringMatching(/^Redis at REDIS_URL answers again$/),
    expect.stringMatching(/^Redis at REDIS_URL cannot be reached: .*ECONNREFUSED.*; running without a cache until it can$/),
    expect.stringMatching(/^The queue at GRAPH_QUEUE_URL cannot be reached: .*ECONNREFUSED.*; the relay brings .+ until it can$/),
    expect.stringMatching(/^queue graph-writes-[-0-9a-f]+: .*ECONNREFUSED.*$/),
  ])
})

test('a queue, a cache of Upstash and a password that are wrong are named too', async () => {
  const { REDIS_URL: _, ...rest } = all()
  const said = await serving(
    {
      ...rest,
      GRAPH_QUEUE_URL: `${parts.queue.GRAPH_QUEUE_URL}-not`,
      UPSTASH_REDIS_REST_URL: `http://${NOWHERE}`,
      UPSTASH_REDIS_REST_TOKEN: 'hunter2',
      NEO4J_PASSWORD: 'hunter2 is wrong',
    },
    async (asks) => expect((await remember(asks, 'Anna all the same')).status).toBe(201),
  )
  expect(said).toMatch(/^The queue at GRAPH_QUEUE_URL does not exist; the relay brings into the graph what is owed until it does$/m)
  expect(said).toMatch(/^Redis at UPSTASH_REDIS_REST_URL cannot be reached: no answer to PING; running without a cache until it can$/m)
  expect(said).toMatch(
    /^Neo4j at NEO4J_URI does not accept NEO4J_USERNAME and NEO4J_PASSWORD; what the graph is owed waits until it does$/m,
  )
})

test('the queue it is pointed to is the one that it sends to and reads', async () => {
  const { GRAPH_QUEUE_URL } = parts.queue
  const { SQSClient, SendMessageCommand, GetQueueAttributesCommand } = await import('@aws-sdk/client-sqs')
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const sqs = new SQSClient({ endpoint: parts.queue.AWS_ENDPOINT_URL_SQS, region: 'us-east-1', credentials })
  opened.push({ close: () => sqs.destroy() })
  const held = async () => {
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: GRAPH_QUEUE_URL, AttributeNames: ['All'] }))
    return [Attributes?.ApproximateNumberOfMessages, Attributes?.ApproximateNumberOfMessagesNotVisible]
  }
  await sqs.send(new SendMessageCommand({ QueueUrl: GRAPH_QUEUE_URL, MessageBody: 'not a nudge' }))
  await serving(all(), async (asks) => {
    await remember(asks, 'Anna asks')
    await caughtUp(asks)
    // Received, refused, and nobody else's until its time is over; the nudge is gone.
    expect(await eventually(held, ([visible, hidden]) => visible === '0' && hidden === '1')).toEqual(['0', '1'])
    expect(await parts.owner('select count(*)::int as n from queue.messages')).toEqual([{ n: 0 }])
  })
})

test('a Postgres that goes away is a clear 503 until it is back', async () => {
  const line: Line = await lineTo(parts.postgres.DATABASE_URL)
  opened.push({ close: () => line.cut() })
  await line.open()
  const through = (url: string) => url.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${line.port}`)
  const { DATABASE_URL, DATABASE_OWNER_URL } = parts.postgres
  const said = await serving(
    { ...all(), DATABASE_URL: through(DATABASE_URL), DATABASE_OWNER_URL: through(DATABASE_OWNER_URL) },
    async (asks) => {
      expect((await remember(asks, 'before')).status).toBe(201)
      await line.cut()
      const refused = await remember(asks, 'meanwhile')
      expect([refused.status, refused.json.code, Number(refused.headers.get('retry-after')) > 0]).toEqual([503, 'unavailable', true])
      // Nothing was sent, so nobody has to wonder.
      expect(refused.json.detail).not.toMatch(/may have/)
      await line.open()
      const again = await eventually(
        () => remember(asks, 'after'),
        ({ status: code }) => code === 201,
      )
      expect(again.status).toBe(201)
    },
  )
  expect(said).not.toContain('hunter2')
})
