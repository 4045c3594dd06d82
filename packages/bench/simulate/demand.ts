import { subscriptions } from '@twofold/functions/queues/queues.ts'
import type { Figures } from './figures.ts'
import { LIMITS, PRICES } from './published.ts'

/** What one request asks of each part, of a text that is new. Counted on the running service by `demand.test.ts`. */
export const ASKED = {
  write: { postgres: 1, redis: 4, sqs: 1 },
  /** What it read is noted in the audit before the function answers. */
  search: { postgres: 2, redis: 2, sqs: 0 },
} as const
export type Kind = keyof typeof ASKED

const graphWrites = subscriptions.find(({ name }) => name === 'graph-writes')

/** How functions and queues are set up, and what is taken for granted of a load. */
export const SETUP = {
  /** Memory of a function that calls a model or a graph, in GB, as `stacks/function.ts` says. */
  memoryGb: 1,
  batch: graphWrites?.batchSize ?? 0,
  /** As `stacks/queues.ts` says. */
  windowMs: 1_000,
  /** Batches of graph writes at once. */
  concurrency: graphWrites?.atOnce ?? 0,
  /** A compute of Postgres is planned to be this busy at most. */
  busy: 0.7,
  /** Tokens of what is embedded: two or three sentences, a question. */
  tokens: { write: 50, search: 12 },
  /** What a request leaves in the logs, its metrics among them, in bytes. */
  logBytes: 600,
}

/** SQS hands out, and has deleted, at most ten messages in a call. */
const PER_CALL = 10
const HOUR_S = 3_600

export interface Load {
  /** Requests a second, and which share of them writes. */
  rate: number
  writes: number
}

/** Milliseconds that Postgres is asked for a request. A note in the audit is taken to be as small as reading one memory. */
export const postgresMs = (figures: Figures, kind: Kind): number => figures[kind].db + (ASKED[kind].postgres - 1) * figures.small.db

/** Milliseconds of a function's time that a request costs, its model included. */
export const duration = (figures: Figures, kind: Kind): number => {
  const embedding = kind === 'write' ? figures.embedWrite : figures.embedQuery
  return figures[kind].total - figures[kind].db + postgresMs(figures, kind) + embedding
}

/** How long the graph is at a transaction of so many rows: between the measured sizes in a straight line. */
export function graphMs({ graphBatches }: Figures, rows: number): number {
  const [first, ...others] = graphBatches
  if (!first || rows <= first.rows) return ((first?.ms ?? 0) * Math.max(rows, 1)) / (first?.rows ?? 1)
  let below = first
  for (const above of others) {
    if (rows <= above.rows) return below.ms + ((above.ms - below.ms) * (rows - below.rows)) / (above.rows - below.rows)
    below = above
  }
  return (below.ms * rows) / below.rows
}

/** A batch of graph writes, from the first message to the last settled row. */
export const batchMs = (figures: Figures, messages: number): number => {
  const rows = messages * figures.rowsPerMemory
  return graphMs(figures, rows) + rows * figures.settleRow
}

/** Messages that a batch holds at so many writes a second: what comes within its window to each of those that gather at least. */
export const inBatch = (writesPerSecond: number): number =>
  Math.max(1, Math.min(SETUP.batch, (writesPerSecond * SETUP.windowMs) / 1_000 / LIMITS.sqsPollersFirst.value))

/** A second of load: what it needs at once, and what it asks for. */
export interface Need {
  invocations: number
  gbSeconds: number
  /** Execution environments: as many as run at once, and enough of them for how often each may be asked. */
  environments: number
  sqs: number
  redis: number
  /** Seconds that a processor of Postgres is busy, and compute units that takes. */
  postgresBusy: number
  units: number
  /** Seconds that a graph is busy with what is written to it. */
  graphBusy: number
}

/** What one second of that load needs, once it runs evenly. */
export function need(figures: Figures, { rate, writes }: Load, perEnvironment: number): Need {
  const [written, searched] = [rate * writes, rate * (1 - writes)]
  const messages = inBatch(written)
  const batches = written / messages
  const apiSeconds = (written * duration(figures, 'write') + searched * duration(figures, 'search')) / 1_000
  const writerSeconds = (batches * batchMs(figures, messages)) / 1_000
  const settled = (written * figures.rowsPerMemory * figures.settleRow) / 1_000
  const postgresBusy = (written * postgresMs(figures, 'write') + searched * postgresMs(figures, 'search')) / 1_000 + settled
  const graphBusy = (batches * graphMs(figures, messages * figures.rowsPerMemory)) / 1_000
  return {
    invocations: rate + batches,
    gbSeconds: (apiSeconds + writerSeconds) * SETUP.memoryGb,
    environments: Math.max(apiSeconds, rate / perEnvironment) + writerSeconds,
    sqs: written * ASKED.write.sqs + (2 * batches * messages) / Math.min(messages, PER_CALL),
    redis: written * ASKED.write.redis + searched * ASKED.search.redis,
    postgresBusy,
    units: postgresBusy / SETUP.busy,
    graphBusy,
  }
}

/** Dollars of a second of that load, by part; nothing for what stands there whether it is asked or not. */
export function dollars(figures: Figures, load: Load, perEnvironment: number): Record<string, number> {
  const needs = need(figures, load, perEnvironment)
  const [written, searched] = [load.rate * load.writes, load.rate * (1 - load.writes)]
  return {
    'HTTP API': load.rate * PRICES.apiRequest.value,
    'Lambda, invocations': needs.invocations * PRICES.lambdaRequest.value,
    'Lambda, GB-seconds': needs.gbSeconds * PRICES.lambdaGbSecond.value,
    SQS: needs.sqs * PRICES.sqsRequest.value,
    'Postgres (Neon)': (needs.units * PRICES.neonCuHour.value) / HOUR_S,
    'Redis (Upstash)': needs.redis * PRICES.redisCommand.value,
    'logs and metrics': (load.rate * SETUP.logBytes * PRICES.logGb.value) / 1e9,
    'embedding model': (written * SETUP.tokens.write + searched * SETUP.tokens.search) * PRICES.embeddingToken.value,
  }
}
