import { Refusal } from '@twofold/operation/refusal.ts'
import { asRefusal, SqlError } from '../failures.ts'
import { fillEmbeddings } from '../memories/backfill.ts'
import type { Memory } from '../memories/memory.ts'
import { subjectOf } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { placing } from './chunks.sql.ts'
import { chunksOf } from './chunks.ts'
import { lacking, selectPlaced, settle, takeStep, there } from './documents.sql.ts'
import { draftsOf, labelOf, type Origin, owe } from './drafts.ts'
import { eraseReplaced } from './erase.ts'
import { planOf, stepOf } from './plan.ts'

export interface Time {
  /** Begins nothing further after that. */
  until: Date
  signal: AbortSignal
}

interface Work {
  version: number
  to_place: number
  removed: boolean
  attempts: number
  replaced: boolean
}

/** Chunks placed in one list: a store that does one thing at a time does nothing else meanwhile. */
const PLACED = 100
/** Vectors made between two looks at the clock, or as many as time allows. */
const PORTION = 64
/** Rounds that bring nothing before a document has failed; it is still tried, but ever less often. */
const MOST_ATTEMPTS = 5
const LONGEST_WAIT_S = 3600

/**
 * Goes on with a document as far as time allows: erases what it does not hold any more, places what had no room in the list
 * that put it, makes the vectors that are missing (also those of another model than the one in use), and settles it. Each
 * step is a transaction of its own and finds out what is left, so that any process can go on where another died. When a
 * step brings nothing it is tried again later. Answers whether nothing is left to do.
 */
export async function goOn(deps: Deps, tenant: string, id: string, time: Time): Promise<boolean> {
  try {
    while (deps.now() < time.until && !time.signal.aborted) {
      const [[work]] = await deps.db.asTenant(tenant, [selectWork(id)])
      if (!work) return true
      if (work.replaced) await eraseReplaced(deps, tenant, id)
      else if (work.removed) return await drop(deps, tenant, id)
      else if (work.to_place > 0) await place(deps, tenant, id, work, time)
      else {
        const { left, made } = await embed(deps, tenant, id, time.signal)
        if (left === 0) return await settled(deps, tenant, id)
        if (made === 0)
          return await later(deps, tenant, id, time, `The embedding model has not made the vectors of ${left} chunks or more.`)
        if (work.attempts > 0) await deps.db.asTenant(tenant, [again(id)])
      }
    }
    return false
  } catch (error) {
    if (error instanceof Refusal && error.code === 'version_mismatch') return false
    // What a store cannot do now is tried in the next round; what it will never take must not hold up other documents.
    if (!(error instanceof SqlError || asRefusal(error)?.code === 'too_large')) throw error
    deps.log.error('document.step_failed', { tenant, document: id, error })
    return later(deps, tenant, id, time, 'Its chunks could not be stored.')
  }
}

const mine = (id: string): Statement => sql`d.tenant_id = current_tenant() and d.id = ${id}::uuid`

const selectWork = (id: string): Statement<Work> => sql<Work>`
  select d.version, d.to_place, d.removed_at is not null as removed, d.attempts,
    exists (select from document_chunks c where c.tenant_id = d.tenant_id and c.document_id = d.id and c.position is null) as replaced
  from documents d where ${mine(id)}`

const drop = async (deps: Deps, tenant: string, id: string): Promise<true> => {
  await deps.db.asTenant(tenant, [sql`delete from documents d where ${mine(id)} and d.removed_at is not null`])
  return true
}

const settled = async (deps: Deps, tenant: string, id: string): Promise<boolean> => {
  const [rows] = await deps.db.asTenant(tenant, [settle(id, deps.embedder.model, deps.now().toISOString())])
  return rows.length > 0
}

/** Places step after step; the text is cut once. */
async function place(deps: Deps, tenant: string, id: string, work: Work, time: Time): Promise<void> {
  const it = there(sql`d.id = ${id}::uuid`)
  const [[origin], placed] = await deps.db.asTenant(tenant, [
    sql<Origin & { content: string; documentType: string }>`
      select d.id, d.namespace, d.file_path as "filePath", d.title, d.metadata, d.content, d.document_type as "documentType" from documents d where ${it}`,
    selectPlaced(it),
  ])
  if (!origin) return
  const chunks = chunksOf({ ...origin, markdown: origin.documentType === 'markdown' })
  const labelled = labelOf(origin.metadata)
  let plan = planOf(chunks, placed, labelled.hash)
  for (let from = work.to_place; from > 0 && deps.now() < time.until && !time.signal.aborted; ) {
    const at = deps.now()
    const now = at.toISOString()
    const { step, left } = stepOf(plan, PLACED)
    const drafts = draftsOf(deps, origin, step.place, at)
    owe(drafts)
    await deps.db.asTenant(tenant, [
      ...takeStep(id, work.version, from, left),
      ...placing(deps, { ...step, documentId: id, drafts, labelled, idempotencyKey: null, now }),
    ])
    await deps.cache.invalidate(tenant, [subjectOf(origin.namespace)])
    if (deps.settings.graphEnabled) await deps.queue.nudge(tenant, [...drafts.map((draft) => draft.id), ...step.label])
    plan = { out: [], moved: [], place: plan.place.slice(step.place.length), label: plan.label.slice(step.label.length) }
    from = left
  }
}

/** The next vectors that are missing. Answers how many were looked for, none when there are none, and how many were made. */
async function embed(deps: Deps, tenant: string, id: string, signal: AbortSignal): Promise<{ left: number; made: number }> {
  const next = sql`${lacking(sql`${id}::uuid`, deps.embedder.model)} order by c.position limit ${PORTION}::int`
  const [, rows] = await deps.db.asTenant(tenant, [
    sql`with w as (${next})
      update memories m set owes_embedding = true
      where m.tenant_id = current_tenant() and m.id = any(array(select memory_id from w)) and not m.owes_embedding`,
    sql<{ memory: Memory }>`with w as (${next})
      select m.json as memory from w join readable_memories m on m.tenant_id = current_tenant() and m.id = w.memory_id order by w.position`,
  ])
  const memories = rows.map(({ memory }) => memory)
  return { left: memories.length, made: await fillEmbeddings(deps, tenant, memories, signal) }
}

const again = (id: string): Statement => sql`
  update documents d set attempts = 0, failure = null, sync_status = case when d.sync_status = 'failed' then 'pending' else d.sync_status end where ${mine(id)}`

/** Time that ran out is nobody's failure. */
async function later(deps: Deps, tenant: string, id: string, { signal }: Time, failure: string): Promise<boolean> {
  if (signal.aborted) return false
  const now = deps.now().toISOString()
  await deps.db.asTenant(tenant, [
    sql`update documents d set attempts = d.attempts + 1, due_at = ${now}::timestamptz + least(${LONGEST_WAIT_S}, 2 ^ least(d.attempts, 20)) * interval '1 s',
          failure = case when d.attempts + 1 >= ${MOST_ATTEMPTS}::int then ${failure} else d.failure end,
          sync_status = case when d.attempts + 1 >= ${MOST_ATTEMPTS}::int then 'failed' else d.sync_status end
        where ${mine(id)} and d.removed_at is null`,
  ])
  return false
}
