import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Sqs, type SqsOptions, sqs } from '@twofold/functions/queues/sqs.ts'
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { reasonOf } from '../reason.ts'

export interface PollOptions extends SqsOptions {
  handler(event: SQSEvent, context: Context): Promise<SQSBatchResponse | undefined>
  /** Most messages of one invocation. */
  batchSize: number
  /** How long a batch that is not full waits for more. */
  windowMs?: number
  /** What the handler is told it has; shorter than the queue's visibility timeout. */
  timeoutMs: number
  log(message: string): void
}

export interface Poller {
  /** Stops receiving and waits for the running invocation. */
  stop(): Promise<void>
}

interface Received {
  MessageId: string
  ReceiptHandle: string
  Body: string
  MD5OfBody: string
  Attributes?: Record<string, string>
}

/** SQS's own limit on one receive and one batch of deletions. */
const PER_CALL = 10
const LONG_POLL_S = 20
const REST_AFTER_FAILURE_MS = 1_000

/**
 * Lambda's event source mapping: gathers messages into batches, invokes the handler, deletes what succeeded. What the
 * handler names in `batchItemFailures`, or everything when it throws, comes back after the visibility timeout.
 */
export function poll(options: PollOptions): Poller {
  const { batchSize, windowMs = 100, log } = options
  const call = sqs(options)
  const stopping = new AbortController()
  const stopped = stopping.signal

  const receive = async (max: number, WaitTimeSeconds: number): Promise<Received[]> => {
    const ask = { MaxNumberOfMessages: Math.min(max, PER_CALL), WaitTimeSeconds, MessageSystemAttributeNames: ['All'] }
    const signal = AbortSignal.any([stopped, AbortSignal.timeout((WaitTimeSeconds + 10) * 1000)])
    return (await call<{ Messages?: Received[] }>('ReceiveMessage', ask, signal)).Messages ?? []
  }

  /** The window begins with the first message and is waited for once; more is taken as long as each answer is full. */
  async function gather(): Promise<Received[]> {
    const batch = await receive(batchSize, LONG_POLL_S)
    let waited = batch.length === 0
    for (let last = batch.length; batch.length < batchSize; ) {
      if (last < PER_CALL) {
        if (waited || stopped.aborted) break
        waited = true
        await sleep(windowMs, undefined, { signal: stopped }).catch(() => undefined)
        if (stopped.aborted) break
      }
      const more = await receive(batchSize - batch.length, 0).catch(() => [])
      batch.push(...more)
      last = more.length
    }
    return batch
  }

  async function loop(): Promise<void> {
    // Told once, however long it lasts.
    let trouble = ''
    while (!stopped.aborted) {
      try {
        const batch = await gather()
        if (batch.length > 0) await invoke(options, call, batch)
        trouble = ''
      } catch (error) {
        if (stopped.aborted) return
        const reason = reasonOf(error)
        if (reason !== trouble) log(`queue ${nameOf(options.url)}: ${reason}`)
        trouble = reason
        await sleep(REST_AFTER_FAILURE_MS, undefined, { signal: stopped }).catch(() => undefined)
      }
    }
  }

  const running = loop()
  return {
    stop() {
      stopping.abort()
      return running
    },
  }
}

async function invoke(options: PollOptions, call: Sqs, batch: Received[]): Promise<void> {
  const response = await options.handler({ Records: batch.map((message) => record(message, options)) }, context(options.timeoutMs))
  const failed = new Set(response?.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
  const ids = new Set(batch.map(({ MessageId }) => MessageId))
  const stranger = [...failed].find((id) => !ids.has(id))
  if (stranger !== undefined)
    throw new Error(`the handler named a message that was not in its batch (${JSON.stringify(stranger)}); nothing of it counts as done`)
  const done = batch.filter(({ MessageId }) => !failed.has(MessageId))
  for (let i = 0; i < done.length; i += PER_CALL) {
    const Entries = done.slice(i, i + PER_CALL).map(({ ReceiptHandle }, n) => ({ Id: String(n), ReceiptHandle }))
    await call('DeleteMessageBatch', { Entries }, AbortSignal.timeout(10_000))
  }
}

const record = ({ MessageId, ReceiptHandle, Body, MD5OfBody, Attributes = {} }: Received, { url, region }: PollOptions): SQSRecord => ({
  messageId: MessageId,
  receiptHandle: ReceiptHandle,
  body: Body,
  md5OfBody: MD5OfBody,
  attributes: Attributes as unknown as SQSRecord['attributes'],
  messageAttributes: {},
  eventSource: 'aws:sqs',
  eventSourceARN: `arn:aws:sqs:${region}:000000000000:${nameOf(url)}`,
  awsRegion: region,
})

const nameOf = (url: string) => url.split('/').at(-1)

/** What a Lambda is told of its invocation, as far as it means anything here. */
function context(timeoutMs: number): Context {
  const until = performance.now() + timeoutMs
  const id = randomUUID()
  return { awsRequestId: id, functionName: 'local', getRemainingTimeInMillis: () => Math.max(0, until - performance.now()) } as Context
}
