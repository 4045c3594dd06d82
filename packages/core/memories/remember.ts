import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { asRefusal, isUniqueViolation, PersistenceError, Replay, type ReplayTarget } from '../failures.ts'
import type { GraphOptions } from '../graph/port.ts'
import { project } from '../graph/project.ts'
import { showNow } from '../graph/wait.ts'
import { claim } from '../idempotency.ts'
import { introduce } from '../keys/introduce.ts'
import { exactly } from '../namespaces/namespace.ts'
import type { Authorized, Deps, Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { type AnswerRow, type CacheState, remembered, selectAnswers } from './answer.ts'
import { type Draft, draft, type Remembering } from './draft.ts'
import type { Remembered } from './memory.ts'
import { decide, type Pending, selectPending } from './pending.ts'
import { rendered } from './replay.ts'
import { conflict, refuseTaken, Taken, takenOf } from './taken.ts'
import { understand } from './understand.ts'
import { auditMemories, insertMemories, insertPostings, linkEntities, oweMemories, upsertEmbeddings, upsertEntities } from './write.sql.ts'

/** An answer, and whether it is the one an earlier, identical request was given. */
export interface Written<T> {
  answer: T
  replayed: boolean
}

/** A graph session that the program already has, for a verb to be part of. */
export type InSession = Pick<GraphOptions, 'session'>

/**
 * Remembers one thing: one statement list in Postgres (memory, version, vector, words, entities, audit, ledger, or
 * nothing at all), then the graph by the queue, or at once when the caller waits for it or gives a `session`.
 * In an atomic session the receipt says `owed`: nothing is shown before it ends.
 * Refuses `conflict` for a live key or another body under a known id, `in_progress` while a twin runs, `unavailable`
 * when the graph was to decide (`onGraphFailure: "rollback"`) and did not take it; then nothing is left.
 */
export async function remember(deps: Deps, caller: Caller, input: Remembering, { session }: InSession = {}): Promise<Written<Remembered>> {
  const at = deps.now()
  const d = draft(deps, input, at)
  const ranges = exactly(d.namespace)
  await introduce(deps, caller, ranges)
  await understand(deps, caller, [d], deps.settings.modelDeadlineMs)
  try {
    return { answer: await rememberDraft(deps, caller, d, ranges, { ...input, session }, at), replayed: false }
  } catch (error) {
    const targets = earlier(error, d)
    const [first] = targets ? await rendered(deps, caller, targets) : []
    if (first?.ok) return { answer: first.answer, replayed: true }
    throw first ? first.refusal : error instanceof Taken ? conflict(error.items[0] as Taken['items'][number]) : error
  }
}

/** What an identical request wrote before: known by its idempotency key, or by the id that the client chose. */
function earlier(error: unknown, d: Draft): readonly Partial<ReplayTarget>[] | null {
  if (error instanceof Replay) return error.targets
  if (error instanceof Taken && error.items.some((item) => item.same && !item.pending)) return [{ id: d.id, version: 1 }]
  return null
}

async function rememberDraft(
  deps: Deps,
  caller: Caller,
  d: Draft,
  ranges: readonly Range[],
  input: Remembering & InSession,
  at: Date,
): Promise<Remembered> {
  const { graphEnabled, rollbackOnPartialFailure, leaseMs } = deps.settings
  const { session } = input
  const rollback = input.onGraphFailure ? input.onGraphFailure === 'rollback' : rollbackOnPartialFailure && input.waitFor !== 'vector'
  const pendingUntil = rollback && graphEnabled ? new Date(at.getTime() + leaseMs) : null
  if (pendingUntil && session?.mode === 'atomic') throw new Error('an atomic graph session cannot decide a write before it ends')
  const storing = { at, pendingUntil, targets: [{ id: d.id, version: 1 }] }
  if (pendingUntil) return decided(deps, caller, await storePending(deps, caller, d, ranges, storing), session)
  const { authorized, rows } = await store(deps, caller, [d], ranges, storing, byIds)
  const waits = graphEnabled && (input.waitFor === 'graph' || session !== undefined)
  const cache = await announce(deps, caller, authorized, [d], { atOnce: waits, session })
  const [row] = waits ? await readAgain(deps, authorized, rows) : rows
  return remembered(row as AnswerRow, { graphEnabled, cache })
}

export interface Storing {
  at: Date
  /** Set in rollback mode: nobody reads the memories before they are published. */
  pendingUntil: Date | null
  targets: readonly Partial<ReplayTarget>[]
  /** Which part of a batch this is. */
  part?: number
}

/**
 * The statement list of new memories, one transaction. Throws `Replay` when the request was answered before and
 * `Taken` for ids and keys that exist; both also when its own first attempt arrived and only the answer did not. A twin
 * that took an id or a key between the look and the write makes it look again.
 */
export async function store<Row>(
  deps: Deps,
  caller: Caller,
  drafts: readonly Draft[],
  ranges: readonly Range[],
  { at, pendingUntil, targets, part }: Storing,
  select: (ids: readonly string[]) => Statement<Row>,
): Promise<{ authorized: Authorized; rows: Row[] }> {
  const now = at.toISOString()
  const statements: Statement[] = [
    ...claim(caller, targets, now, part),
    ...newMemories(deps, caller, drafts, { now, pendingUntil }),
    select(drafts.map((d) => d.id)),
  ]
  for (let attempt = 1; ; attempt++) {
    try {
      const { authorized, rows } = await deps.db.asCaller(caller, ranges, statements, { write: true, repeatable: true })
      return { authorized, rows: rows.at(-1) as unknown as Row[] }
    } catch (error) {
      if (isUniqueViolation(error) && attempt < 3) continue
      throw takenOf(error) ?? error
    }
  }
}

/** What a list holds that writes these memories, perhaps with other things: both are there or none. */
export function newMemories(
  deps: Deps,
  caller: Caller,
  drafts: readonly Draft[],
  { now, pendingUntil }: { now: string; pendingUntil: Date | null },
): Statement[] {
  const ids = drafts.map((d) => d.id)
  const live = pendingUntil === null
  const write = { action: 'memories.add', reason: null, now, idempotencyKey: caller.idempotency?.key ?? null }
  return [
    refuseTaken(drafts),
    ...upsertEntities(drafts, now, deps.id),
    insertMemories(drafts, write, pendingUntil?.toISOString() ?? null),
    ...upsertEmbeddings(drafts, deps.embedder.model, live),
    ...linkEntities(drafts),
    ...(live ? [insertPostings(ids), auditMemories('memories.add', ids, now)] : []),
    ...(deps.settings.graphEnabled ? [oweMemories(ids, now)] : []),
  ]
}

/** After the commit: the graph writer is nudged (or the graph written at once), caches are told. Nothing here can lose the write. */
export async function announce(
  deps: Deps,
  caller: Caller,
  { tenant }: Authorized,
  written: readonly { id: string; subject: string }[],
  { atOnce = false, session }: InSession & { atOnce?: boolean } = {},
): Promise<CacheState> {
  const ids = written.map((d) => d.id)
  const graph = async () => {
    if (!deps.settings.graphEnabled) return
    if (atOnce || session) await caller.timings.measure('graph', () => showOrNudge(deps, tenant, ids, session))
    else await deps.queue.nudge(tenant, ids)
  }
  const subjects = [...new Set(written.map((d) => d.subject))]
  const [cache] = await Promise.all([caller.timings.measure('cache', () => deps.cache.invalidate(tenant, subjects)), graph()])
  return cache
}

/**
 * A write that is committed does not fail any more: what cannot be shown now is owed, and the receipt says so. In an atomic
 * session what fails is the session's, and ends it.
 */
async function showOrNudge(deps: Deps, tenant: string, ids: readonly string[], session: InSession['session']): Promise<void> {
  if (session?.mode === 'atomic') return void (await project(deps, tenant, ids, { session }))
  try {
    await showNow(deps, tenant, ids, { session })
  } catch (error) {
    deps.log.warn('graph_owed', { tenant, ids: ids.length, reason: error instanceof Error ? error.name : 'unknown' })
    await deps.queue.nudge(tenant, ids)
  }
}

/** The rows as they are now: after waiting for the graph the receipt says more. As they were, when they cannot be read again. */
export async function readAgain(deps: Deps, { tenant }: Authorized, rows: readonly AnswerRow[]): Promise<readonly AnswerRow[]> {
  try {
    const [fresh] = await deps.db.asTenant(tenant, [byIds(rows.map((row) => row.memory.id))])
    return fresh.length === rows.length ? fresh : rows
  } catch (error) {
    if (error instanceof PersistenceError) return rows
    throw error
  }
}

/** The rows of new memories with what the ledger knows of them, in the order of the ids. */
export const byIds = (ids: readonly string[]): Statement<AnswerRow> =>
  selectAnswers(sql`m.id = any(${ids}::uuid[])`, sql`array_position(${ids}::uuid[], m.id)`)

interface Undecided {
  tenant: string
  pending: Pending
}

/**
 * The same in rollback mode. A list that was sent again because its answer was lost finds what it wrote the first time,
 * and goes on. A twin of the same millisecond is taken for it: both then decide the same write, and are told the same.
 */
async function storePending(deps: Deps, caller: Caller, d: Draft, ranges: readonly Range[], storing: Storing): Promise<Undecided> {
  const stored = await store(deps, caller, [d], ranges, storing, (ids) => selectPending(sql`m.id = any(${ids}::uuid[])`)).catch(
    async (error: unknown) => {
      const running = error instanceof Taken ? error.items.some((item) => item.pending) : asRefusal(error)?.code === 'in_progress'
      if (!running) throw error
      const own = sql`m.id = ${d.id}::uuid and m.pending_until = ${storing.pendingUntil?.toISOString()}::timestamptz and exists (
        select from memory_versions v where v.tenant_id = m.tenant_id and v.memory_id = m.id and v.request_hash = decode(${d.requestHash}, 'hex'))`
      const { authorized, rows } = await deps.db.asCaller(caller, ranges, [selectPending(own)])
      if (rows[0].length === 0) throw error
      return { authorized, rows: rows[0] }
    },
  )
  return { tenant: stored.authorized.tenant, pending: stored.rows[0] as Pending }
}

/** Rollback mode: what the graph has by its deadline is published, all else is gone without trace. The sweep may have been quicker; then it decided. */
async function decided(deps: Deps, caller: Caller, { tenant, pending }: Undecided, session: InSession['session']): Promise<Remembered> {
  try {
    await caller.timings.measure('graph', () => showNow(deps, tenant, [pending.memory.id], { session }))
  } catch (error) {
    // Not the last word: what the ledger notes of the graph is.
    deps.log.warn('graph_unknown', { tenant, reason: error instanceof Error ? error.name : 'unknown' })
  }
  let answer: Remembered | null
  try {
    answer = await decide(deps, tenant, pending)
  } catch (error) {
    if (!(error instanceof PersistenceError || error instanceof Refusal)) throw error
    const detail =
      'The database stopped answering while the graph was written. The write will be kept or taken back within a minute; the same request with the same Idempotency-Key or id tells which.'
    throw new Refusal('unavailable', detail, { retryAfterMs: 5000 }, { cause: error })
  }
  if (!answer) throw new Refusal('unavailable', 'The graph did not take the write in time, so nothing was stored.', { retryAfterMs: 1000 })
  return answer
}
