import { createHash } from 'node:crypto'
import type { Endpoint, WireAnswer, WireRequest } from '../http/listen.ts'
import { reasonOf } from '../reason.ts'
import { sameSecret } from '../secret.ts'
import type { Attributes, Message, QueueSettings, QueueTable, Sent } from './table.ts'

/** A receiver that waits asks again this often, for what other processes sent and what became visible again. */
const LOOK_AGAIN_MS = 1_000
/** Longest message and batch, as SQS has it. */
const MAX_BYTES = 1024 * 1024

class SqsError extends Error {
  readonly type: string

  constructor(type: string, message: string) {
    super(message)
    this.type = type
  }
}

type Body = Record<string, unknown>
interface Call {
  queue: string
  settings: QueueSettings
  body: Body
  signal: AbortSignal
}

/**
 * SQS's JSON protocol over the queue table. Standard queues without delays, and of attributes texts alone, which is
 * what the product uses; anything else is refused. Of a signature only the access key is checked.
 */
export function queueEndpoint(options: { table: QueueTable; queues: Record<string, QueueSettings>; accessKeyId: string }): Endpoint {
  const { table, queues } = options
  const waiting = new Set<() => void>()
  let closed = false

  const wake = () => {
    for (const each of waiting) each()
  }

  /** Resolves when something was sent, when it is time to look again, or when waiting is over. */
  const news = (ms: number, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        waiting.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      waiting.add(done)
      signal.addEventListener('abort', done)
    })

  async function send(queue: string, messages: Sent[]): Promise<string[]> {
    if (messages.reduce((size, { body }) => size + Buffer.byteLength(body), 0) > MAX_BYTES) {
      throw new SqsError('BatchRequestTooLong', `Messages must be at most ${MAX_BYTES} bytes together.`)
    }
    const ids = await table.send(queue, messages)
    wake()
    return ids
  }

  const actions: Record<string, (call: Call) => Promise<object>> = {
    async SendMessage({ queue, body }) {
      const sent = message(body)
      const [id] = await send(queue, [sent])
      return { MessageId: id, MD5OfMessageBody: md5(sent.body) }
    },
    async SendMessageBatch({ queue, body }) {
      const list = entries(body)
      const sent = list.map(message)
      const ids = await send(queue, sent)
      return { Successful: list.map(({ Id }, i) => ({ Id, MessageId: ids[i], MD5OfMessageBody: md5((sent[i] as Sent).body) })), Failed: [] }
    },
    async ReceiveMessage({ queue, settings, body, signal }) {
      const max = whole(body, 'MaxNumberOfMessages', 1, 10, 1)
      const until = performance.now() + whole(body, 'WaitTimeSeconds', 0, 20, 0) * 1000
      const visibilityMs =
        body.VisibilityTimeout === undefined ? settings.visibilityMs : whole(body, 'VisibilityTimeout', 0, 43_200, 0) * 1000
      const wanted = {
        system: new Set([body.MessageSystemAttributeNames, body.AttributeNames].flat()),
        own: body.MessageAttributeNames !== undefined,
      }
      for (;;) {
        const found = await table.receive(queue, { ...settings, visibilityMs }, max)
        if (signal.aborted) {
          await table.release(
            queue,
            found.map(({ receipt }) => receipt),
          )
          return {}
        }
        if (found.length > 0) return { Messages: found.map((each) => render(each, wanted)) }
        const left = until - performance.now()
        if (left <= 0 || closed) return {}
        await news(Math.min(left, LOOK_AGAIN_MS), signal)
        if (closed || signal.aborted) return {}
      }
    },
    async DeleteMessage({ queue, body }) {
      await table.remove(queue, [string(body, 'ReceiptHandle')])
      return {}
    },
    async DeleteMessageBatch({ queue, body }) {
      const list = entries(body)
      await table.remove(
        queue,
        list.map((entry) => string(entry, 'ReceiptHandle')),
      )
      return { Successful: list.map(({ Id }) => ({ Id })), Failed: [] }
    },
    async ChangeMessageVisibility({ queue, body }) {
      await table.changeVisibility(queue, string(body, 'ReceiptHandle'), whole(body, 'VisibilityTimeout', 0, 43_200) * 1000)
      return {}
    },
    async GetQueueAttributes({ queue, settings: { visibilityMs, redrive } }) {
      const { visible, invisible } = await table.counts(queue)
      const policy = redrive && {
        RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arn(redrive.to), maxReceiveCount: redrive.maxReceives }),
      }
      return {
        Attributes: {
          QueueArn: arn(queue),
          ApproximateNumberOfMessages: String(visible),
          ApproximateNumberOfMessagesNotVisible: String(invisible),
          VisibilityTimeout: String(Math.ceil(visibilityMs / 1000)),
          ...policy,
        },
      }
    },
  }

  async function handle(request: WireRequest): Promise<object> {
    if (!sameSecret(accessKey(request.header('authorization')), options.accessKeyId)) {
      throw new SqsError('InvalidClientTokenId', 'The security token included in the request is invalid.')
    }
    const name = request.header('x-amz-target').replace(/^AmazonSQS\./, '')
    if (!Object.hasOwn(actions, name))
      throw new SqsError('UnsupportedOperation', `unsupported: ${name.slice(0, 64) || 'a request without X-Amz-Target'}`)
    const body = parse(request.body)
    const queue = string(body, 'QueueUrl').split('/').at(-1) as string
    if (!Object.hasOwn(queues, queue)) throw new SqsError('QueueDoesNotExist', 'The specified queue does not exist.')
    const settings = queues[queue] as QueueSettings
    return (actions[name] as (call: Call) => Promise<object>)({ queue, settings, body, signal: request.signal })
  }

  return {
    maxBodyBytes: 2 * MAX_BYTES,
    tooLarge: () => failed(400, 'BatchRequestTooLong', 'The request is too large.'),
    async handle(request) {
      try {
        return answer(200, await handle(request))
      } catch (error) {
        if (isAway(error)) return failed(503, 'ServiceUnavailable', `the database cannot be reached: ${reasonOf(error)}`)
        if (!(error instanceof SqsError)) throw error
        return failed(error.type === 'InvalidClientTokenId' ? 403 : 400, error.type, error.message)
      }
    },
    close() {
      closed = true
      wake()
    },
  }
}

const arn = (queue: string) => `arn:aws:sqs:local:000000000000:${queue}`
const md5 = (body: string) => createHash('md5').update(body).digest('hex')
const accessKey = (authorization: string) => /^AWS4-HMAC-SHA256 Credential=([^/]+)\//.exec(authorization)?.[1] ?? ''
const answer = (status: number, body: object): WireAnswer => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.0' },
  body: JSON.stringify(body),
})

const failed = (status: number, type: string, message: string) => answer(status, { __type: `com.amazonaws.sqs#${type}`, message })

/** That the database is away or out of order, and not that a statement is wrong. */
const isAway = (error: unknown): boolean =>
  error instanceof Error &&
  (/^(08|53|57P|ECONN)/.test((error as { code?: string }).code ?? '') || error.message.startsWith('Connection terminated'))

function parse(bytes: Buffer): Body {
  try {
    const body: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof body === 'object' && body !== null) return body as Body
  } catch {}
  throw new SqsError('SerializationException', 'The body must be a JSON object.')
}

function string(body: Body, name: string): string {
  const value = body[name]
  if (typeof value !== 'string' || value === '') throw new SqsError('MissingParameter', `The request must contain the parameter ${name}.`)
  return value
}

function whole(body: Body, name: string, low: number, high: number, absent?: number): number {
  const value = body[name] ?? absent
  if (!Number.isInteger(value) || (value as number) < low || (value as number) > high) {
    throw new SqsError('InvalidParameterValue', `${name} must be a whole number from ${low} to ${high}.`)
  }
  return value as number
}

function entries(body: Body): Body[] {
  const list = body.Entries
  if (!Array.isArray(list) || list.length === 0) throw new SqsError('EmptyBatchRequest', 'Entries must have at least one entry.')
  if (list.length > 10) throw new SqsError('TooManyEntriesInBatchRequest', 'Entries must have at most 10 entries.')
  if (new Set(list.map((entry) => string(entry as Body, 'Id'))).size < list.length) {
    throw new SqsError('BatchEntryIdsNotDistinct', 'Ids of entries must be distinct.')
  }
  return list as Body[]
}

/** The text of a message, with its attributes; U+0000 is the one character Postgres cannot keep, and SQS does not take it either. */
function message(entry: Body): Sent {
  for (const name of ['DelaySeconds', 'MessageGroupId', 'MessageDeduplicationId', 'MessageSystemAttributes']) {
    if (entry[name] !== undefined) throw new SqsError('UnsupportedOperation', `unsupported: ${name}`)
  }
  const text = string(entry, 'MessageBody')
  const attributes = Object.values((entry.MessageAttributes ?? {}) as Attributes)
  if (attributes.some(({ DataType, StringValue }) => DataType !== 'String' || typeof StringValue !== 'string'))
    throw new SqsError('UnsupportedOperation', 'unsupported: MessageAttributes of another type than String')
  if ([text, ...attributes.map(({ StringValue }) => StringValue)].some((each) => each.includes('\0')))
    throw new SqsError('InvalidMessageContents', 'MessageBody must not contain U+0000.')
  return { body: text, attributes: entry.MessageAttributes as Attributes | undefined }
}

/** With those of its attributes that were asked for, as SQS does. */
function render(
  { messageId, receipt, body, attributes: own, receives, sentAt, firstReceivedAt }: Message,
  wanted: { system: ReadonlySet<unknown>; own: boolean },
): object {
  const known = {
    ApproximateReceiveCount: String(receives),
    SentTimestamp: String(sentAt.getTime()),
    ApproximateFirstReceiveTimestamp: String(firstReceivedAt.getTime()),
    SenderId: 'local',
  }
  const attributes = Object.entries(known).filter(([name]) => wanted.system.has('All') || wanted.system.has(name))
  return {
    MessageId: messageId,
    ReceiptHandle: receipt,
    Body: body,
    MD5OfBody: md5(body),
    ...(attributes.length > 0 && { Attributes: Object.fromEntries(attributes) }),
    ...(own && wanted.own && { MessageAttributes: own }),
  }
}
