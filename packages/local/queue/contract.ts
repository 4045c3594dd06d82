import {
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { type World, world } from '@twofold/functions/fixture.ts'
import { deadLetters } from '@twofold/functions/queues/dead-letters.ts'
import { graphWrites } from '@twofold/functions/queues/graph-writes.ts'
import { ingest } from '@twofold/functions/queues/ingest.ts'
import { type SqsOptions, sqsQueue } from '@twofold/functions/queues/sqs.ts'
import type { SQSEvent } from 'aws-lambda'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Poller, type PollOptions, poll } from './poll.ts'

export interface Queues extends Pick<SqsOptions, 'credentials' | 'region'> {
  /** URLs of new queues: what `work` gives out comes back after so many seconds, and goes to `dead` instead of a third time. */
  make(visibilityS: number): Promise<{ work: string; dead: string }>
  close(): Promise<void>
}

export const MAX_RECEIVES = 2

const letters = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => String.fromCharCode(97 + from + i))
const passed = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** What Amazon's own client and our event source mapping must see of every queue. */
export function queueContract(name: string, open: () => Promise<Queues>): void {
  describe(name, { timeout: 30_000 }, () => {
    let queues: Queues
    let client: SQSClient
    let work: string
    let dead: string

    beforeAll(async () => {
      queues = await open()
    })
    /** Longer than any test, except where something shall come back. */
    const renew = async (visibilityS = 60) => {
      const made = await queues.make(visibilityS)
      work = made.work
      dead = made.dead
    }
    beforeEach(async () => {
      await renew()
      client = new SQSClient({ endpoint: new URL(work).origin, region: queues.region, credentials: queues.credentials, maxAttempts: 1 })
    })
    afterEach(() => client.destroy())
    afterAll(() => queues.close())

    const send = (...bodies: string[]) =>
      client.send(new SendMessageBatchCommand({ QueueUrl: work, Entries: bodies.map((MessageBody, i) => ({ Id: `m${i}`, MessageBody })) }))
    const receive = async (more: object = {}, QueueUrl = work): Promise<Message[]> => {
      const ask = { QueueUrl, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ['All' as const], ...more }
      return (await client.send(new ReceiveMessageCommand(ask))).Messages ?? []
    }
    const remove = (messages: Message[]) =>
      client.send(
        new DeleteMessageBatchCommand({
          QueueUrl: work,
          Entries: messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle })),
        }),
      )
    const giveBack = ({ ReceiptHandle }: Message) =>
      client.send(new ChangeMessageVisibilityCommand({ QueueUrl: work, ReceiptHandle, VisibilityTimeout: 0 }))
    const attributes = async (QueueUrl = work) =>
      (await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))).Attributes ?? {}
    /** Messages that can be received, and those that somebody has. */
    const held = async (QueueUrl = work) => {
      const { ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible } = await attributes(QueueUrl)
      return [Number(ApproximateNumberOfMessages), Number(ApproximateNumberOfMessagesNotVisible)]
    }
    const bodies = (messages: Message[]) => messages.map(({ Body }) => Body).sort()

    describe('the queue', () => {
      test('a message is received with its body, is nobody else’s until its time is over, and is gone once deleted', async () => {
        await renew(1)
        const sent = await client.send(new SendMessageCommand({ QueueUrl: work, MessageBody: 'héllo 🧠\n\t"<&>"' }))
        const [first] = await receive()
        expect(first).toMatchObject({ MessageId: sent.MessageId, Body: 'héllo 🧠\n\t"<&>"', MD5OfBody: sent.MD5OfMessageBody })
        expect([await receive(), await held()]).toEqual([[], [0, 1]])
        await passed(1_200)
        const [second] = await receive()
        expect(second).toMatchObject({ MessageId: sent.MessageId, Attributes: { ApproximateReceiveCount: '2' } })
        await client.send(new DeleteMessageCommand({ QueueUrl: work, ReceiptHandle: second?.ReceiptHandle }))
        expect(await held()).toEqual([0, 0])
      })

      test('a batch is taken, given out and deleted as a batch, each message by its own id', async () => {
        const { Successful = [], Failed = [] } = await send(...letters(0, 10))
        expect([Successful.map(({ Id }) => Id), Failed]).toEqual([letters(0, 10).map((_, i) => `m${i}`), []])
        expect(new Set(Successful.map(({ MessageId }) => MessageId)).size).toBe(10)
        const received: Message[] = []
        while (received.length < 10) received.push(...(await receive()))
        expect(bodies(received)).toEqual(letters(0, 10))
        const removed = await remove(received)
        expect([removed.Successful?.length, removed.Failed ?? []]).toEqual([10, []])
        expect(await held()).toEqual([0, 0])
      })

      test('what is known of a message is told to who asks for it', async () => {
        const before = Date.now()
        await send('a')
        const [silent] = await receive({ MessageSystemAttributeNames: undefined, VisibilityTimeout: 0 })
        expect(silent?.Attributes).toBeUndefined()
        const [told] = await receive()
        expect(told?.Attributes).toMatchObject({ ApproximateReceiveCount: '2' })
        for (const name of ['SentTimestamp', 'ApproximateFirstReceiveTimestamp'] as const) {
          expect(Number(told?.Attributes?.[name])).toBeGreaterThan(before - 2_000)
          expect(Number(told?.Attributes?.[name])).toBeLessThan(Date.now() + 2_000)
        }
      })

      test('what is said beside a message goes with it, for who asks', async () => {
        const MessageAttributes = { reason: { DataType: 'String', StringValue: 'héllo 🧠' } }
        await client.send(new SendMessageCommand({ QueueUrl: work, MessageBody: 'a', MessageAttributes }))
        const [told] = await receive({ MessageAttributeNames: ['All'], VisibilityTimeout: 0 })
        expect(told?.MessageAttributes).toMatchObject(MessageAttributes)
        expect((await receive())[0]?.MessageAttributes).toBeUndefined()
      })

      test('visibility can be given back at once', async () => {
        await send('a')
        await giveBack((await receive())[0] as Message)
        expect(bodies(await receive())).toEqual(['a'])
      })

      test('a message received too often goes to the dead-letter queue and is not received again', async () => {
        await send('poison')
        for (let i = 0; i < MAX_RECEIVES; i++) {
          const messages = await receive()
          expect(messages).toHaveLength(1)
          await giveBack(messages[0] as Message)
        }
        expect(await receive()).toEqual([])
        expect(bodies(await receive({}, dead))).toEqual(['poison'])
        expect(await held()).toEqual([0, 0])
        expect(JSON.parse((await attributes()).RedrivePolicy as string)).toMatchObject({
          deadLetterTargetArn: expect.stringContaining('dead'),
        })
      })

      test('a long poll waits for what is sent meanwhile, and for nothing when nothing is sent', async () => {
        const waiting = receive({ WaitTimeSeconds: 20 })
        await passed(100)
        await send('here')
        expect(bodies(await waiting)).toEqual(['here'])
        expect(await receive({ WaitTimeSeconds: 1 }, dead)).toEqual([])
      })

      test('a queue that does not exist, and a batch that is none, are refused by name', async () => {
        const nowhere = new URL(work)
        nowhere.pathname += '-not'
        await expect(receive({}, nowhere.href)).rejects.toMatchObject({ name: expect.stringMatching(/QueueDoesNotExist|NonExistentQueue/) })
        await expect(send(...letters(0, 11))).rejects.toMatchObject({ name: expect.stringContaining('TooManyEntriesInBatchRequest') })
      })
    })

    describe('the event source mapping', () => {
      const pollers: Poller[] = []
      const said: string[] = []
      const start = (handler: (event: SQSEvent) => Promise<unknown>, options: Partial<PollOptions> = {}) => {
        const poller = poll({
          ...{ url: work, credentials: queues.credentials, region: queues.region },
          ...{
            handler: handler as PollOptions['handler'],
            batchSize: 50,
            windowMs: 50,
            timeoutMs: 1_000,
            log: (message) => void said.push(message),
          },
          ...options,
        })
        pollers.push(poller)
        return poller
      }
      afterEach(async () => {
        await Promise.all(pollers.splice(0).map((poller) => poller.stop()))
      })

      test('messages arrive in batches as Lambda shapes them and are deleted when the handler succeeds', async () => {
        await send(...letters(0, 10))
        await send(...letters(10, 20))
        const events: SQSEvent[] = []
        const poller = start(async (event) => void events.push(event))
        const seen = () => events.flatMap((event) => event.Records.map(({ body }) => body)).sort()
        await expect.poll(seen, { timeout: 5_000 }).toEqual(letters(0, 20))
        await poller.stop()
        expect(events[0]?.Records[0]).toMatchObject({
          messageId: expect.stringMatching(/./),
          receiptHandle: expect.stringMatching(/./),
          md5OfBody: expect.stringMatching(/^[0-9a-f]{32}$/),
          eventSource: 'aws:sqs',
          eventSourceARN: expect.stringMatching(/^arn:aws:sqs:[^:]+:\d{12}:.+$/),
          attributes: { ApproximateReceiveCount: '1', SentTimestamp: expect.stringMatching(/^\d{13}$/) },
        })
        expect(await held()).toEqual([0, 0])
      })

      test('what arrives within the window of the first message is one batch, and a batch is never larger than asked', async () => {
        const sizes: number[] = []
        start(async (event) => void sizes.push(event.Records.length), { batchSize: 12, windowMs: 500 })
        for (let i = 0; i < 3; i++) await send(...letters(i, i + 2))
        await expect.poll(() => sizes, { timeout: 5_000 }).toEqual([6])
        for (let i = 0; i < 3; i++) await send(...letters(0, 10))
        await expect.poll(() => sizes.reduce((sum, size) => sum + size, 0), { timeout: 5_000 }).toBe(36)
        expect(Math.max(...sizes)).toBeLessThanOrEqual(12)
      })

      test('only what the handler names comes back, and after its retries it is in the dead-letter queue', async () => {
        await renew(1)
        await send('good', 'bad')
        const seen: string[] = []
        start(async (event) => {
          seen.push(...event.Records.map(({ body }) => body))
          return {
            batchItemFailures: event.Records.filter(({ body }) => body === 'bad').map(({ messageId }) => ({ itemIdentifier: messageId })),
          }
        })
        await expect.poll(() => held(dead), { timeout: 15_000 }).toEqual([1, 0])
        expect(seen.filter((body) => body === 'bad')).toHaveLength(MAX_RECEIVES)
        expect(await held()).toEqual([0, 0])
      })

      test('everything comes back when the handler throws or names what is not in the batch', async () => {
        await renew(1)
        await send('a', 'b')
        let invocations = 0
        start(async () => {
          if (++invocations % 2 === 1) throw new Error('broken')
          return { batchItemFailures: [{ itemIdentifier: 'nobody' }] }
        })
        await expect.poll(() => held(dead), { timeout: 15_000 }).toEqual([2, 0])
        expect(said.join('\n')).toContain('broken')
      })

      test('several pollers share the messages and none is handled twice', async () => {
        const texts = Array.from({ length: 60 }, (_, i) => `m${i}`)
        const seen: string[] = []
        for (let i = 0; i < 3; i++)
          start(async (event) => void seen.push(...event.Records.map(({ body }) => body)), { batchSize: 7, windowMs: 1 })
        for (let i = 0; i < 60; i += 10) await send(...texts.slice(i, i + 10))
        await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(60)
        expect([...seen].sort()).toEqual([...texts].sort())
      })

      describe('with the graph’s writer', () => {
        let here: World
        beforeAll(async () => {
          here = await world()
        })
        afterAll(() => here.close())

        test('nudges bring into the graph what is owed, and only what cannot be read fails, again and again, until it is set apart', async () => {
          const tenant = await here.tenant()
          const memories = await Promise.all([1, 2, 3].map((n) => tenant.add({ content: `Anna knows Bert ${n}`, extractEntities: false })))
          const state = async () => {
            const got = await Promise.all(memories.map(({ id }) => tenant.get(`/v1/memories/${id}`)))
            return got.map(({ json }) => json.receipt.stores.graph.state)
          }
          expect(await state()).toEqual(['owed', 'owed', 'owed'])
          await renew(2)
          const queue = sqsQueue({ url: work, credentials: queues.credentials, region: queues.region, log: here.deps.log })
          await send('not a nudge')
          // The same rows twice, as queues do.
          for (let i = 0; i < 2; i++)
            await queue.nudge(
              tenant.id,
              memories.map(({ id }) => id),
            )
          start(graphWrites(here.deps), { timeoutMs: 20_000 })
          await expect.poll(state, { timeout: 10_000 }).toEqual(['written', 'written', 'written'])
          await expect.poll(() => held(dead), { timeout: 15_000 }).toEqual([1, 0])
          expect(bodies(await receive({}, dead))).toEqual(['not a nudge'])
          expect(await held()).toEqual([0, 0])
        })

        test('events are remembered, and what can never be is set aside as it came, with the reason', async () => {
          const tenant = await here.tenant()
          const event = (id: string, data: object) =>
            JSON.stringify({ specversion: '1.0', id, source: '/crm', type: 'twofold.memories.remember', tenant: tenant.id, data })
          const good = (n: number) => event(`e${n}`, { userId: 'alice', content: `said ${n}`, sessionId: 's', extractEntities: false })
          const bad = event('bad', { userId: 'alice', content: 7 })
          await send(good(1), bad, good(2), good(1))
          const options = { url: work, credentials: queues.credentials, region: queues.region }
          start(ingest(here.deps, deadLetters(options)), { timeoutMs: 20_000 })
          const said = async () => (await tenant.get('/v1/memories?userId=alice')).json.items.map((each: any) => each.content).sort()
          await expect.poll(said, { timeout: 10_000 }).toEqual(['said 1', 'said 2'])
          await expect.poll(() => held(dead), { timeout: 10_000 }).toEqual([1, 0])
          const [letter] = await receive({ MessageAttributeNames: ['All'] }, dead)
          expect(letter?.Body).toBe(bad)
          expect(letter?.MessageAttributes).toMatchObject({
            code: { StringValue: 'invalid' },
            reason: { StringValue: expect.stringContaining('content') },
            errors: { StringValue: expect.stringContaining('"path":"content"') },
          })
          await expect.poll(() => held(), { timeout: 10_000 }).toEqual([0, 0])
        })
      })
    })
  })
}
