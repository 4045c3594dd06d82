import { deadOf, type Subscription, subscriptions, visibilityMs } from '@twofold/functions/queues/queues.ts'
import { functionOf, resourceOf, secondsOf } from './function.ts'
import { mayTo, type Reach } from './reach.ts'

export interface MadeQueue {
  subscription: Subscription
  queue: sst.aws.Queue
  dead: sst.aws.Queue
}

/** As long as SQS keeps anything: time to find out why, and to send back what was given up. */
const KEPT_SECONDS = 14 * 24 * 3600
/** What a batch that is not full waits for more. */
const WINDOW = '1 second'

/** Outlives its stack where the stage retains: what lies in it may be nowhere else. */
export const keptQueue = (name: string, args: sst.aws.QueueArgs = {}): sst.aws.Queue =>
  new sst.aws.Queue(name, {
    ...args,
    transform: {
      queue(queue, options) {
        queue.messageRetentionSeconds = KEPT_SECONDS
        options.retainOnDelete = $app.removal !== 'remove'
        return undefined
      },
    },
  })

/** Every queue of the code, each with one for what it had to give up. */
export const makeQueues = (): MadeQueue[] =>
  subscriptions.map((subscription) => {
    const dead = keptQueue(resourceOf(deadOf(subscription)))
    const queue = keptQueue(resourceOf(subscription.name), {
      visibilityTimeout: secondsOf(visibilityMs(subscription)),
      dlq: { queue: dead.arn, retry: subscription.maxReceives },
    })
    return { subscription, queue, dead }
  })

/** Brings the messages of each queue in batches to its function, which says of each message whether it is done. */
export function subscribe(queues: readonly MadeQueue[], reach: Reach): void {
  for (const { subscription, queue, dead } of queues) {
    const { name, url, needs, timeoutMs, batchSize, atOnce } = subscription
    const args = functionOf({ entry: `functions/queues/${name}`, needs: needs.map((part) => part.name), timeoutMs }, reach)
    queue.subscribe(
      {
        ...args,
        environment: { ...args.environment, [url]: queue.url },
        // What can never succeed it sets aside itself, with the reason.
        permissions: [...args.permissions, mayTo('sqs:SendMessage', dead)],
      },
      {
        batch: { size: batchSize, window: WINDOW, partialResponses: true },
        transform: { eventSourceMapping: { scalingConfig: { maximumConcurrency: atOnce } } },
      },
    )
  }
}
