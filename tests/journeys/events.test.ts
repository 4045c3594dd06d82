import { ReceiveMessageCommand, SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { all, type Client, client, eventually } from '../client.ts'
import { joinOf, KEY, makeHome, type Process, start } from '../process.ts'

/** How another service of the same machine tells what happened, by Amazon's own client, to the service as people start it. */

/** Processes start here, which a busy machine takes its time for. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let home: Awaited<ReturnType<typeof makeHome>>
let service: Process
let asks: Client
let sqs: SQSClient
let queue: string
beforeAll(async () => {
  home = await makeHome()
  service = await start(home.path)
  asks = client(service.url, KEY)
  const { INGEST_QUEUE_URL = '', AWS_REGION, AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = await joinOf(home.path)
  queue = INGEST_QUEUE_URL
  sqs = new SQSClient({
    endpoint: new URL(queue).origin,
    region: AWS_REGION,
    credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
  })
})
afterAll(async () => {
  sqs.destroy()
  await service.end('SIGTERM')
  await home.remove()
})

let sent = 0
const event = (type: string, data: object) => ({ specversion: '1.0', id: `e${++sent}`, source: '/crm', type, tenant: 'local', data })
const send = (...events: object[]) =>
  sqs.send(
    new SendMessageBatchCommand({
      QueueUrl: queue,
      Entries: events.map((each, i) => ({ Id: `m${i}`, MessageBody: JSON.stringify(each) })),
    }),
  )

test('what a support desk tells becomes memories, turns and events, once; what it tells wrongly is set aside with the reason', async () => {
  await asks.post('/v1/sessions', { id: 'case-7', appName: 'desk', userId: 'ada' })
  const told = [
    event('twofold.memories.remember', { userId: 'ada', content: 'Ada asked for a refund', sessionId: 'case-7', extractEntities: false }),
    event('twofold.turns.add', { id: 'chat-7', userId: 'ada', query: 'Where is my refund?', answer: 'On its way.' }),
    ...[1, 2, 3].map((step) => event('twofold.events.append', { id: 'case-7', event: { step } })),
    event('twofold.memories.remember', { userId: 'ada', content: 42 }),
  ]
  await send(...told)
  await send(...told.slice(0, 5))
  const events = await eventually(
    () => all(asks, '/v1/sessions/case-7/events'),
    (seen) => seen.length >= 3,
  )
  expect(events.map(({ event: { step } }) => step)).toEqual([1, 2, 3])
  const memories = await eventually(
    () => all(asks, '/v1/memories?userId=ada'),
    (seen) => seen.length > 0,
  )
  expect(memories).toMatchObject([{ content: 'Ada asked for a refund', sessionId: 'case-7', createdBy: 'queue:/crm' }])
  const turns = await eventually(
    async () => (await asks.get('/v1/conversations/chat-7/context')).json.turns ?? [],
    (seen) => seen.length > 0,
  )
  expect(turns).toMatchObject([{ query: 'Where is my refund?' }])
  const ask = { QueueUrl: `${queue}-dead`, MessageAttributeNames: ['All'], WaitTimeSeconds: 20 }
  const { Messages = [] } = await sqs.send(new ReceiveMessageCommand(ask))
  expect(Messages).toMatchObject([
    {
      Body: JSON.stringify(told.at(-1)),
      MessageAttributes: { code: { StringValue: 'invalid' }, reason: { StringValue: expect.stringContaining('content') } },
    },
  ])
})
