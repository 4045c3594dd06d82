import type { Env } from '../env.ts'
import type { Part } from '../needs.ts'
import { type SqsOptions, sqsQueue } from '../queues/sqs.ts'

/** Without a queue nothing is lost: the relay sweeps what is owed. */
export const queue: Part<'queue'> = {
  name: 'queue',
  open: (env, { log }) => ({
    port: env.GRAPH_QUEUE_URL === undefined ? { nudge: async () => undefined } : sqsQueue({ ...sqsOf(env, env.GRAPH_QUEUE_URL), log }),
  }),
}

/** How this configuration reaches a queue. */
export const sqsOf = (env: Env, url: string): SqsOptions => ({
  url,
  endpoint: env.AWS_ENDPOINT_URL_SQS,
  credentials: {
    accessKeyId: env.AWS_ACCESS_KEY_ID ?? '',
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '',
    sessionToken: env.AWS_SESSION_TOKEN,
  },
  region: env.AWS_REGION,
})
