import type { GraphQueue, Log } from '@twofold/core/ports.ts'
import { AwsClient } from 'aws4fetch'

export interface SqsOptions {
  /** The queue's URL. */
  url: string
  /** Where SQS is served, when that is not the host of the queue's URL. */
  endpoint?: string | undefined
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string | undefined }
  region: string
  fetch?: typeof fetch | undefined
}

/** Calls one action of SQS on the queue; throws unless it is answered with success. Not repeated. */
export type Sqs = <Answer = unknown>(action: string, body: object, signal: AbortSignal) => Promise<Answer>

export function sqs({ url, endpoint = new URL('/', url).href, credentials, region, fetch: send = fetch }: SqsOptions): Sqs {
  const client = new AwsClient({ ...credentials, region, service: 'sqs' })
  return async <Answer>(action: string, body: object, signal: AbortSignal) => {
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `AmazonSQS.${action}` }
    const request = await client.sign(endpoint, { method: 'POST', headers, body: JSON.stringify({ QueueUrl: url, ...body }) })
    const response = await send(request, { signal })
    const answer = await response.text()
    if (!response.ok) throw new Error(`${action} was answered with ${response.status}: ${answer.slice(0, 300)}`)
    return JSON.parse(answer) as Answer
  }
}

/** Far below the size of a message, and one lease of the writer. */
const IDS_PER_MESSAGE = 500
const MESSAGES_PER_CALL = 10
const TIMEOUT_MS = 2_000

/** Tells the graph writer through SQS which rows are owed. */
export function sqsQueue({ log, ...options }: SqsOptions & { log: Log }): GraphQueue {
  const call = sqs(options)
  return {
    async nudge(tenant, ids) {
      const messages = chunks(ids, IDS_PER_MESSAGE).map((some) => JSON.stringify({ tenant, ids: some }))
      try {
        for (const bodies of chunks(messages, MESSAGES_PER_CALL)) {
          const Entries = bodies.map((MessageBody, i) => ({ Id: String(i), MessageBody }))
          const { Failed = [] } = await call<{ Failed?: object[] }>('SendMessageBatch', { Entries }, AbortSignal.timeout(TIMEOUT_MS))
          if (Failed.length > 0) throw new Error(`SQS did not take ${Failed.length} of ${bodies.length} messages`)
        }
      } catch (error) {
        log.warn('queue.nudge_lost', { tenant, ids: ids.length, error: error instanceof Error ? error.message : String(error) })
      }
    },
  }
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size))
}
