import type { Composed } from '@twofold/functions/deps.ts'
import type { Env } from '@twofold/functions/env.ts'
import { neo4jOf } from '@twofold/functions/parts/graph.ts'
import { sqsOf } from '@twofold/functions/parts/queue.ts'
import { type SqsOptions, sqs } from '@twofold/functions/queues/sqs.ts'
import { reasonOf } from './reason.ts'

type Variables = Record<string, string | undefined>

interface Part {
  /** What it is, and the variable that points to it. */
  name: string
  /** How the service does without it. */
  without: string
  ask(signal: AbortSignal): Promise<unknown>
}

const PATIENCE_MS = 5_000

/**
 * Asks each real part but Postgres and Redis once, and says of one that does not answer which variable points to it. That
 * keeps nothing from starting: each is used as soon as it is there.
 */
export async function reach(
  env: Env,
  variables: Variables,
  { deps }: Composed,
  events: SqsOptions,
  log: (message: string) => void,
): Promise<void> {
  const parts: (Part | false)[] = [
    Boolean(env.NEO4J_URI && env.ENABLE_GRAPH_STORE) && {
      name: 'Neo4j at NEO4J_URI',
      without: 'what the graph is owed waits until it can',
      // The service makes constraints and indexes itself before it first writes; here the reason why it could not is heard.
      ask: async () => (await import('@twofold/graph/neo4j/graph.ts')).migrateGraph(neo4jOf(env, env.NEO4J_URI as string)),
    },
    Boolean(variables.UPSTASH_REDIS_REST_URL) && {
      name: 'Redis at UPSTASH_REDIS_REST_URL',
      without: 'running without a cache until it can',
      async ask() {
        if (!(await deps.cache.health()).available) throw new Error('no answer to PING')
      },
    },
    Boolean(variables.GRAPH_QUEUE_URL) && {
      name: 'The queue at GRAPH_QUEUE_URL',
      without: 'the relay brings into the graph what is owed until it can',
      ask: asking(sqsOf(env, env.GRAPH_QUEUE_URL as string)),
    },
    Boolean(variables.INGEST_QUEUE_URL) && {
      name: 'The queue at INGEST_QUEUE_URL',
      without: 'events of other services wait in it until it can',
      ask: asking(events),
    },
  ]
  await Promise.all(parts.filter((part) => part !== false).map((part) => tell(part, log)))
}

const asking = (queue: SqsOptions) => (signal: AbortSignal) => sqs(queue)('GetQueueAttributes', { AttributeNames: ['QueueArn'] }, signal)

async function tell({ name, without, ask }: Part, log: (message: string) => void): Promise<void> {
  const patience = AbortSignal.timeout(PATIENCE_MS)
  const late = new Promise<never>((_, reject) =>
    patience.addEventListener('abort', () => reject(new Error(`no answer within ${PATIENCE_MS / 1000} s`))),
  )
  try {
    await Promise.race([ask(patience), late])
  } catch (error) {
    const reason = reasonOf(error)
    const later = without.replace(/can$/, 'does')
    if (/^Neo\.ClientError\.Security\./.test(String((error as { code?: unknown }).code)))
      log(`${name} does not accept NEO4J_USERNAME and NEO4J_PASSWORD; ${later}`)
    else if (/QueueDoesNotExist|NonExistentQueue/.test(reason)) log(`${name} does not exist; ${later}`)
    else log(`${name} cannot be reached: ${reason}; ${without}`)
  }
}
