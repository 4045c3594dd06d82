import { type Outcome, type ProjectDeps, project } from '@twofold/core/graph/project.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { placed } from '@twofold/core/tenants/placed.ts'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import * as z from 'zod-own'
import { container } from '../container.ts'
import { graph } from '../parts/graph.ts'

/** A nudge: these ledger rows of a tenant are owed. It says which, never what: the writer reads that for itself. */
export const GraphWrite = z.object({ tenant: z.uuid(), ids: z.array(z.uuid()).max(10_000) })

type WriterDeps = ProjectDeps & Pick<Deps, 'places'>

interface Message {
  messageId: string
  tenant: string
  ids: string[]
}

/**
 * Brings what the messages of one batch name into the graph, one graph session for each tenant, in it one lease and one
 * transaction for each 500 rows. Messages may come late, twice and out of order. A message fails, and is tried again by the queue until it
 * goes to its dead-letter queue, when it cannot be read, when the graph could not be reached for one of its rows, or
 * when the graph refuses one.
 */
export const graphWrites =
  (deps: WriterDeps) =>
  async (event: SQSEvent): Promise<SQSBatchResponse> => {
    const { messages, malformed } = read(event.Records)
    for (const messageId of malformed) deps.log.error('graph-writes.malformed', { messageId })
    const tenants = Map.groupBy(messages, ({ tenant }) => tenant)
    const failed = await Promise.all([...tenants].map(([tenant, theirs]) => write(deps, tenant, theirs)))
    return { batchItemFailures: [...malformed, ...failed.flat()].map((itemIdentifier) => ({ itemIdentifier })) }
  }

function read(records: readonly SQSRecord[]): { messages: Message[]; malformed: string[] } {
  const messages: Message[] = []
  const malformed: string[] = []
  for (const { messageId, body } of records) {
    const parsed = GraphWrite.safeParse(json(body))
    if (parsed.success) messages.push({ messageId, ...parsed.data })
    else malformed.push(messageId)
  }
  return { messages, malformed }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Answers the messages of one tenant that failed; one tenant's trouble is not another's. */
async function write(deps: WriterDeps, tenant: string, messages: readonly Message[]): Promise<string[]> {
  let outcomes: Outcome[]
  try {
    const all = messages.flatMap(({ ids }) => ids)
    outcomes = await placed(deps, { who: tenant }, (at) => project(at, tenant, all))
  } catch (error) {
    deps.log.error('graph-writes.failed', { tenant, reason: error instanceof Error ? error.name : 'unknown' })
    return messages.map(({ messageId }) => messageId)
  }
  const failed = new Set(outcomes.filter(({ state }) => state === 'failed').map(({ id }) => id))
  return messages.filter(({ ids }) => ids.some((id) => failed.has(id))).map(({ messageId }) => messageId)
}

/** What it needs, as an operation says it of itself. */
export const needs = [graph]

const within = container(needs)

export const handler = (event: SQSEvent): Promise<SQSBatchResponse> => within(({ deps }) => graphWrites(deps)(event))
