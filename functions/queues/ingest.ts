import { createHash } from 'node:crypto'
import { asRefusal } from '@twofold/core/failures.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { type Caller, Timings } from '@twofold/operation/caller.ts'
import { withDeadline } from '@twofold/operation/deadline.ts'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import { requestHashOf } from '@twofold/operation/perform.ts'
import { internal } from '@twofold/operation/problem.ts'
import { parseInput } from '@twofold/operation/read-input.ts'
import { type Code, Refusal } from '@twofold/operation/refusal.ts'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { container } from '../container.ts'
import { addTurn } from '../conversations/add-turn.ts'
import { add } from '../memories/add.ts'
import { remove } from '../memories/delete.ts'
import { update } from '../memories/update.ts'
import { needsOf } from '../needs.ts'
import { append } from '../sessions/append-event.ts'
import { type DeadLetters, deadLetters } from './dead-letters.ts'
import { type Arrived, type CloudEvent, eventOf, lineOf } from './event.ts'

/** What each event asks for; its data is that operation's input, path and query included. */
const OPERATIONS: Readonly<Record<string, AnyOperation<Deps>>> = {
  'twofold.memories.remember': add,
  'twofold.memories.update': update,
  'twofold.memories.delete': remove,
  'twofold.turns.add': addTurn,
  'twofold.events.append': append,
}

/** What another try can change: a store that was away, a twin that was at it, something that has not arrived yet. */
const MAY_PASS = new Set<Code>(['unavailable', 'timeout', 'internal', 'in_progress', 'rate_limited', 'not_found'])

/** Lines that are worked on at once. */
const AT_ONCE = 8

/**
 * Takes events of other services: CloudEvents, each carried out as the operation that its type names, for the tenant that it
 * names, once for each source and id. What belongs to one session is done in order: when one of it has to wait, so do those
 * behind it. What can never succeed is set aside with the reason; what may still is left to the queue, and set aside with
 * the reason of its last try.
 */
export const ingest =
  (deps: Deps, dead: DeadLetters) =>
  async ({ Records }: SQSEvent): Promise<SQSBatchResponse> => {
    const waiting: string[] = []
    const lines = new Map<string, Arrived[]>()
    for (const record of inOrder(Records)) {
      const arrived = read(record)
      if (arrived instanceof Refusal) {
        if (!(await setAside(deps, dead, record, arrived))) waiting.push(record.messageId)
        continue
      }
      const line = lineOf(arrived)
      lines.set(line, [...(lines.get(line) ?? []), arrived])
    }
    const open = lines.values()
    const worker = async () => {
      for (const line of open) waiting.push(...(await work(deps, dead, line)))
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    return { batchItemFailures: waiting.map((itemIdentifier) => ({ itemIdentifier })) }
  }

/** As they were sent: a queue that keeps groups hands them out so, any other does not promise it. */
const inOrder = (records: readonly SQSRecord[]): SQSRecord[] =>
  records.toSorted((a, b) =>
    a.attributes.SequenceNumber === undefined ? Number(a.attributes.SentTimestamp) - Number(b.attributes.SentTimestamp) : 0,
  )

function read(record: SQSRecord): Arrived | Refusal {
  try {
    const event = eventOf(record)
    if (Object.hasOwn(OPERATIONS, event.type)) return { record, event }
    return new Refusal('invalid', `There is no event of the type ${event.type}.`, { errors: [{ path: 'type', message: 'is not known' }] })
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
}

/** Answers which of a line have to wait. */
async function work(deps: Deps, dead: DeadLetters, line: readonly Arrived[]): Promise<string[]> {
  for (const [i, { record, event }] of line.entries()) {
    const refusal = await carryOut(deps, event, record.messageId)
    if (!refusal) continue
    const last = MAY_PASS.has(refusal.code) && !(await isLast(deps, dead, record))
    if (last || !(await setAside(deps, dead, record, refusal))) return line.slice(i).map((each) => each.record.messageId)
  }
  return []
}

async function isLast(deps: Deps, dead: DeadLetters, { attributes }: SQSRecord): Promise<boolean> {
  try {
    const most = await dead.maxReceives()
    return most !== null && Number(attributes.ApproximateReceiveCount) >= most
  } catch (error) {
    deps.log.warn('ingest.queue_away', { reason: error instanceof Error ? error.message : 'unknown' })
    return false
  }
}

/** Answers false when it could not be, so that the queue keeps it. */
async function setAside(deps: Deps, dead: DeadLetters, record: SQSRecord, refusal: Refusal): Promise<boolean> {
  const { messageId } = record
  try {
    const taken = await dead.put(record, refusal)
    deps.log.warn('ingest.set_aside', { messageId, code: refusal.code, taken })
    return taken
  } catch (error) {
    deps.log.error('ingest.not_set_aside', { messageId, code: refusal.code, error })
    return false
  }
}

/** Null when it is done, by this message or an earlier one of the same source and id. */
async function carryOut(deps: Deps, event: CloudEvent, requestId: string): Promise<Refusal | null> {
  const operation = OPERATIONS[event.type] as AnyOperation<Deps>
  try {
    const input = parseInput(operation.input, event.data)
    await withDeadline(operation.deadlineMs, new AbortController().signal, async (signal) =>
      operation.handle(deps, input, callerOf(operation, event, { requestId, signal })),
    )
    return null
  } catch (error) {
    const refusal = error instanceof Refusal ? error : (asRefusal(error) ?? internal(error))
    if (refusal.code === 'internal') deps.log.error('ingest.failed', { requestId, error })
    return refusal
  }
}

const callerOf = (
  operation: AnyOperation<Deps>,
  { tenant, source, id, data, ifversion }: CloudEvent,
  { requestId, signal }: Pick<Caller, 'requestId' | 'signal'>,
): Caller => ({
  source: { tenant, name: source },
  // No key has this hash: a key has no line break. It only names whom the database has lately let in.
  keyHash: createHash('sha256').update(`queue\n${tenant}\n${source}\n${operation.scope}`).digest(),
  scope: operation.scope,
  operation: operation.name,
  requestId,
  onBehalfOf: null,
  idempotency: { key: id },
  requestHash: requestHashOf(operation, data),
  ifMatch: operation.ifMatch ? (ifversion ?? null) : null,
  timings: new Timings(),
  signal,
})

/** What it needs, as an operation says it of itself. */
export const needs = needsOf(Object.values(OPERATIONS))

const within = container(needs, ['ingest'])

export const handler = (event: SQSEvent): Promise<SQSBatchResponse> =>
  within(({ deps, ingest: queue }) => {
    if (!queue) throw new Error('INGEST_QUEUE_URL is not set.')
    return ingest(deps, deadLetters(queue))(event)
  })
