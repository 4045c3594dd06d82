import { type Sqs, type SqsOptions, sqs, sqsQueue } from '@twofold/functions/queues/sqs.ts'
import type { SQSEvent } from 'aws-lambda'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Listening, listen } from '../http/listen.ts'
import { type TestDatabase, testDatabase } from '../sql/fixture.ts'
import { MAX_RECEIVES, queueContract } from './contract.ts'
import { queueEndpoint } from './endpoint.ts'
import { type Poller, type PollOptions, poll } from './poll.ts'
import { openQueueTable, type QueueTable } from './table.ts'

const VISIBILITY_MS = 300
const queues = {
  work: { visibilityMs: VISIBILITY_MS, redrive: { to: 'dead', maxReceives: 2 } },
  dead: { visibilityMs: VISIBILITY_MS },
}
const signal = new AbortController().signal

let database: TestDatabase
let table: QueueTable
let server: Listening
let other: Listening
let call: Sqs

beforeAll(async () => {
  database = await testDatabase()
  ;[table] = await Promise.all([openQueueTable(database.sql), openQueueTable(database.sql)])
  const serve = () => {
    const endpoint = queueEndpoint({ table, queues, accessKeyId: 'local-key' })
    return listen({ '': endpoint, queue: endpoint }, { log: console.error })
  }
  server = await serve()
  other = await serve()
  call = sqs(at(server, 'work'))
}, 30_000)
afterAll(async () => {
  await server.close()
  await other.close()
  await database.close()
})
beforeEach(async () => {
  await database.sql('truncate queue.messages')
})

const at = (where: Listening, queue: string): SqsOptions => ({
  url: `${where.url}/queue/${queue}`,
  credentials: { accessKeyId: 'local-key', secretAccessKey: 'secret' },
  region: 'local',
})

interface Received {
  Messages?: { MessageId: string; ReceiptHandle: string; Body: string; Attributes: Record<string, string> }[]
}
const receive = (body: object = {}) =>
  call<Received>('ReceiveMessage', { MaxNumberOfMessages: 10, MessageSystemAttributeNames: ['All'], ...body }, signal)
const send = (...bodies: string[]) =>
  call('SendMessageBatch', { Entries: bodies.map((MessageBody, i) => ({ Id: `m${i}`, MessageBody })) }, signal)
const passed = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

queueContract('the local queue', async () => {
  const own: Parameters<typeof queueEndpoint>[0]['queues'] = {}
  const endpoint = queueEndpoint({ table, queues: own, accessKeyId: 'local-key' })
  const listening = await listen({ '': endpoint, queue: endpoint }, { log: console.error })
  let made = 0
  return {
    ...at(listening, ''),
    async make(visibilityS) {
      const [work, dead] = [`work${++made}`, `dead${made}`]
      own[work] = { visibilityMs: visibilityS * 1000, redrive: { to: dead, maxReceives: MAX_RECEIVES } }
      own[dead] = { visibilityMs: visibilityS * 1000 }
      return { work: at(listening, work).url, dead: at(listening, dead).url }
    },
    close: () => listening.close(),
  }
})

describe('the endpoint', () => {
  test('a long poll answers what is sent while it waits through another process', async () => {
    const waitingElsewhere = receive({ WaitTimeSeconds: 20 })
    await sqs(at(other, 'work'))('SendMessage', { MessageBody: 'there' }, signal)
    expect((await waitingElsewhere).Messages).toMatchObject([{ Body: 'there' }])
  })

  test('a receiver that goes away while it waits takes nothing with it', async () => {
    const gone = new AbortController()
    const waiting = call('ReceiveMessage', { WaitTimeSeconds: 20 }, gone.signal)
    const refused = expect(waiting).rejects.toThrow('aborted')
    await passed(50)
    gone.abort()
    await refused
    await send('kept')
    expect((await receive({ WaitTimeSeconds: 1 })).Messages).toMatchObject([{ Body: 'kept', Attributes: { ApproximateReceiveCount: '1' } }])
  })

  test('what the product never sends is refused by name', async () => {
    const refused = (action: string, body: object = {}, as = call) => expect(as(action, body, signal)).rejects
    await refused('PurgeQueue').toThrow('UnsupportedOperation')
    await refused('SendMessage', { MessageBody: 'a', DelaySeconds: 5 }).toThrow('unsupported: DelaySeconds')
    await refused('SendMessage', {}).toThrow('MissingParameter')
    await refused('SendMessage', { MessageBody: 'x'.repeat(1024 * 1024 + 1) }).toThrow('BatchRequestTooLong')
    await refused('SendMessageBatch', { Entries: Array.from({ length: 11 }, (_, i) => ({ Id: String(i), MessageBody: 'a' })) }).toThrow(
      'TooManyEntriesInBatchRequest',
    )
    await refused('ReceiveMessage', { MaxNumberOfMessages: 11 }).toThrow('MaxNumberOfMessages must be a whole number from 1 to 10')
    await refused('ReceiveMessage', {}, sqs(at(server, 'unknown'))).toThrow('QueueDoesNotExist')
    await refused('ReceiveMessage', {}, sqs({ ...at(server, 'work'), credentials: { accessKeyId: 'else', secretAccessKey: 's' } })).toThrow(
      '403',
    )
  })

  test('a database that is away is an unavailable queue, and what is wrong with a statement is told with where it was', async () => {
    const errors = [
      Object.assign(new Error('timeout exceeded'), { severity: 'FATAL', code: '08001' }),
      new Error('Connection terminated unexpectedly'),
      Object.assign(new Error('no such column'), { severity: 'ERROR', code: '42703' }),
    ]
    const receive = () => Promise.reject(errors.shift())
    const queues = { work: { visibilityMs: 1_000 } }
    const logged: string[] = []
    const endpoint = queueEndpoint({ table: { ...table, receive }, queues, accessKeyId: 'local-key' })
    const broken = await listen({ queue: endpoint, '': endpoint }, { log: (line) => void logged.push(line) })
    const ask = () => sqs(at(broken, 'work'))('ReceiveMessage', {}, signal)
    await expect(ask()).rejects.toThrow(/answered with 503: .*ServiceUnavailable.*the database cannot be reached: timeout exceeded/)
    await expect(ask()).rejects.toThrow(/answered with 503: .*Connection terminated unexpectedly/)
    expect(logged).toEqual([])
    await expect(ask()).rejects.toThrow('answered with 500: internal error')
    expect(logged).toEqual([expect.stringMatching(/no such column\n +at /)])
    await broken.close()
  })
})

describe('the sender', () => {
  test('ids are split into messages of at most 500, all in one call', async () => {
    const warnings: unknown[] = []
    const log = { info: () => undefined, warn: (...all: unknown[]) => void warnings.push(all), error: () => undefined }
    const ids = Array.from({ length: 1_001 }, (_, i) => `id-${i}`)
    await sqsQueue({ ...at(server, 'work'), log }).nudge('tenant-1', ids)
    const bodies = ((await receive()).Messages ?? []).map(({ Body }) => JSON.parse(Body) as { tenant: string; ids: string[] })
    expect(bodies.map((body) => [body.tenant, body.ids.length])).toEqual([
      ['tenant-1', 500],
      ['tenant-1', 500],
      ['tenant-1', 1],
    ])
    expect(bodies.flatMap((body) => body.ids)).toEqual(ids)
    await sqsQueue({ ...at(server, 'work'), log }).nudge('tenant-1', [])
    expect(warnings).toEqual([])
  })

  test('a queue that is down or refuses is told to the log and to nobody else', async () => {
    const warnings: unknown[] = []
    const log = { info: () => undefined, warn: (...all: unknown[]) => void warnings.push(all), error: () => undefined }
    await sqsQueue({ ...at(server, 'work'), endpoint: 'http://127.0.0.1:1/', log }).nudge('t', ['a'])
    await sqsQueue({ ...at(server, 'unknown'), log }).nudge('t', ['a'])
    expect(warnings).toMatchObject([
      ['queue.nudge_lost', { ids: 1 }],
      ['queue.nudge_lost', { error: expect.stringContaining('QueueDoesNotExist') }],
    ])
  })
})

describe('the event source mapping', () => {
  const pollers: Poller[] = []
  const start = (handler: (event: SQSEvent) => Promise<unknown>, options: Partial<PollOptions> = {}) => {
    const poller = poll({
      ...at(server, 'work'),
      handler: handler as PollOptions['handler'],
      batchSize: 50,
      windowMs: 50,
      timeoutMs: 1_000,
      log: () => undefined,
      ...options,
    })
    pollers.push(poller)
    return poller
  }
  afterEach(async () => {
    await Promise.all(pollers.splice(0).map((poller) => poller.stop()))
  })

  test('several pollers in several processes share the messages and none is handled twice', async () => {
    const bodies = Array.from({ length: 60 }, (_, i) => `m${i}`)
    const seen: string[] = []
    const handler = async (event: SQSEvent) => void seen.push(...event.Records.map(({ body }) => body))
    for (const where of [server, other, server]) start(handler, { ...at(where, 'work'), batchSize: 7, windowMs: 1 })
    for (let i = 0; i < 60; i += 10) await send(...bodies.slice(i, i + 10))
    await expect.poll(() => seen.length).toBe(60)
    expect([...seen].sort()).toEqual([...bodies].sort())
  })

  test('stopping waits for the running invocation', async () => {
    await send('a')
    const entered = Promise.withResolvers<void>()
    const leave = Promise.withResolvers<void>()
    let finished = false
    const poller = start(async () => {
      entered.resolve()
      await leave.promise
      finished = true
    })
    await entered.promise
    const stopped = poller.stop()
    leave.resolve()
    await stopped
    expect(finished).toBe(true)
    expect(await table.counts('work')).toEqual({ visible: 0, invisible: 0 })
  })

  test('a poller outlives a queue that cannot be reached for a while', async () => {
    let down = true
    const through: typeof fetch = async (input, init) => {
      if (down) throw new TypeError('fetch failed')
      return fetch(input, init)
    }
    const problems: string[] = []
    const seen: string[] = []
    start(async (event) => void seen.push(...event.Records.map(({ body }) => body)), {
      fetch: through,
      log: (message) => void problems.push(message),
    })
    await send('a')
    await expect.poll(() => problems.length).toBeGreaterThan(0)
    down = false
    await expect.poll(() => seen, { timeout: 5_000 }).toEqual(['a'])
  }, 10_000)
})
