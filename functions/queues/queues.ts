import type { Env } from '../env.ts'
import type { AnyPart } from '../needs.ts'
import { needs as graphWrites } from './graph-writes.ts'
import { needs as ingest } from './ingest.ts'

/** A queue whose messages are brought to a function, in batches. */
export interface Subscription {
  /** Of the queue, and of its function's file. */
  name: 'graph-writes' | 'ingest'
  /** The variable that says where the queue is. */
  url: keyof Env & `${string}_QUEUE_URL`
  needs: readonly AnyPart[]
  /** How long one batch may take. */
  timeoutMs: number
  /** Most messages of one batch. */
  batchSize: number
  /** A message that was received so often is set aside in the queue's dead-letter queue. */
  maxReceives: number
  /** Most batches at once, all containers of the cloud together. */
  atOnce: number
}

/** Everything that is subscribed to a queue. Queues and consumers, on one machine and in the cloud, are derived from it. */
export const subscriptions: readonly Subscription[] = [
  // Long enough for a batch of 500 rows against a slow graph. Each container opens up to five connections to Neo4j.
  { name: 'graph-writes', url: 'GRAPH_QUEUE_URL', needs: graphWrites, timeoutMs: 30_000, batchSize: 50, maxReceives: 5, atOnce: 10 },
  // Long enough for a batch of 50 events.
  { name: 'ingest', url: 'INGEST_QUEUE_URL', needs: ingest, timeoutMs: 30_000, batchSize: 50, maxReceives: 5, atOnce: 10 },
]

/** How long a received message belongs to its batch: what SQS asks for, so that a function that is throttled and tried again still holds it. */
export const visibilityMs = ({ timeoutMs }: Pick<Subscription, 'timeoutMs'>): number => 6 * timeoutMs

/** Where messages of a queue go that were received too often. */
export const deadOf = ({ name }: Pick<Subscription, 'name'>): string => `${name}-dead`
