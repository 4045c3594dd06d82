import type { Refusal } from '@twofold/operation/refusal.ts'
import type { SQSRecord } from 'aws-lambda'
import { type SqsOptions, sqs } from './sqs.ts'

export interface DeadLetters {
  /** How often a message is received before its queue gives it up; null: for ever. */
  maxReceives(): Promise<number | null>
  /** Sets a message aside as it is, with why, as attributes of the message. Answers false where the queue has no place for it. */
  put(record: SQSRecord, refusal: Refusal): Promise<boolean>
}

interface Redrive {
  deadLetterTargetArn: string
  maxReceiveCount: number
}

const TIMEOUT_MS = 5_000
/** What SQS takes of a message's attributes is little, and a refusal of a large batch names many fields. */
const MOST_REASON = 2_000

/** The dead-letter queue that this queue's own redrive policy names; it is asked for once. */
export function deadLetters(options: SqsOptions): DeadLetters {
  const call = sqs(options)
  let asked: Promise<Redrive | null> | null = null
  const redrive = () => {
    asked ??= policyOf().catch((error) => {
      asked = null
      throw error
    })
    return asked
  }

  async function policyOf(): Promise<Redrive | null> {
    const ask = { AttributeNames: ['All'] }
    const { Attributes } = await call<{ Attributes?: { RedrivePolicy?: string } }>(
      'GetQueueAttributes',
      ask,
      AbortSignal.timeout(TIMEOUT_MS),
    )
    return Attributes?.RedrivePolicy ? JSON.parse(Attributes.RedrivePolicy) : null
  }

  return {
    async maxReceives() {
      const policy = await redrive()
      return policy === null ? null : Number(policy.maxReceiveCount)
    },
    async put({ messageId, body, attributes }, { code, message, details }) {
      const policy = await redrive()
      if (policy === null) return false
      const text = (value: string) => ({ DataType: 'String', StringValue: value.slice(0, MOST_REASON).toWellFormed() })
      const grouped = attributes.MessageGroupId
      await call(
        'SendMessage',
        {
          // A dead-letter queue is of the account and the region of its queue.
          QueueUrl: options.url.replace(/[^/]+$/, policy.deadLetterTargetArn.split(':').at(-1) as string),
          MessageBody: body,
          MessageAttributes: {
            code: text(code),
            reason: text(message),
            ...(details.errors && { errors: text(JSON.stringify(details.errors)) }),
            messageId: text(messageId),
          },
          ...(grouped !== undefined && { MessageGroupId: grouped, MessageDeduplicationId: messageId }),
        },
        AbortSignal.timeout(TIMEOUT_MS),
      )
      return true
    },
  }
}
