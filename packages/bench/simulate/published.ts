/** What providers publish, in US dollars without free allowances; looked up in November 2026, us-east-1. */

export interface Published {
  value: number
  what: string
  source: string
}

const published = (value: number, what: string, source: string): Published => ({ value, what, source })

const AWS_API = 'https://aws.amazon.com/api-gateway/pricing/'
const AWS_LAMBDA = 'https://aws.amazon.com/lambda/pricing/'
const LAMBDA_LIMITS = 'https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html'
const LAMBDA_SQS = 'https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html'
const NEON_PLANS = 'https://neon.com/docs/introduction/plans'
const NEON_POOLING = 'https://neon.com/docs/connect/connection-pooling'
const UPSTASH = 'https://upstash.com/pricing/redis'

export const PRICES = {
  apiRequest: published(1.0 / 1e6, 'a request of an HTTP API (first 300 million a month; then 0.90 a million)', AWS_API),
  lambdaRequest: published(0.2 / 1e6, 'an invocation', AWS_LAMBDA),
  lambdaGbSecond: published(0.0000133334, 'a GB-second on arm64 (first 7.5 billion a month)', AWS_LAMBDA),
  sqsRequest: published(0.4 / 1e6, 'a request to a standard queue, for each 64 KB', 'https://aws.amazon.com/sqs/pricing/'),
  neonCuHour: published(0.106, 'a compute unit for an hour on Launch (0.222 on Scale)', NEON_PLANS),
  neonGbMonth: published(0.35, 'a GB of storage for a month', NEON_PLANS),
  redisCommand: published(0.2 / 1e5, 'a command, pay as you go', UPSTASH),
  auraGbMonth: published(65, 'a GB of memory of AuraDB Professional for a month', 'https://neo4j.com/pricing/'),
  logGb: published(0.5, 'a GB of logs taken in', 'https://aws.amazon.com/cloudwatch/pricing/'),
  embeddingToken: published(
    0.02 / 1e6,
    'a token of text-embedding-3-small',
    'https://developers.openai.com/api/docs/models/text-embedding-3-small',
  ),
} as const

export const LIMITS = {
  apiRate: published(
    10_000,
    'requests a second to all APIs of an account in a region; raised on request',
    'https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html',
  ),
  lambdaConcurrency: published(1_000, 'invocations at once in an account and region; raised on request', LAMBDA_LIMITS),
  lambdaPerEnvironment: published(10, 'requests a second that one execution environment serves, however short they are', LAMBDA_LIMITS),
  lambdaScaling: published(
    100,
    'more environments of one function each second (1,000 in ten)',
    'https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html',
  ),
  sqsConcurrency: published(1_250, 'batches of one queue at once; fewer where a maximum is set', LAMBDA_SQS),
  sqsPollersFirst: published(5, 'batches at once that a queue begins with', LAMBDA_SQS),
  sqsPollersMore: published(5, 'more of them each second (300 a minute)', LAMBDA_SQS),
  sqsInFlight: published(
    120_000,
    'messages received and not yet deleted',
    'https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html',
  ),
  neonCu: published(56, 'compute units of one compute at most (16 with autoscaling)', NEON_POOLING),
  neonClients: published(10_000, 'connections through the pool of one compute', NEON_POOLING),
  neonConnections: published(4_000, 'connections of Postgres itself from 9 units on (419 for each below)', NEON_POOLING),
  redisRate: published(10_000, 'commands a second of one database, pay as you go', UPSTASH),
} as const
