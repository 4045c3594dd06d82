import type { Caller } from '@twofold/operation/caller.ts'
import { canonical } from '@twofold/operation/json.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { refuseChunk } from '../documents/belongs.sql.ts'
import { isUniqueViolation, Replay } from '../failures.ts'
import { REQUEST_MS } from '../forget-requests.ts'
import { claim } from '../idempotency.ts'
import type { Authorized, Deps, Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { type AnswerRow, remembered, selectAnswers } from './answer.ts'
import { type Draft, redraft } from './draft.ts'
import type { Changes } from './input.ts'
import type { Memory, Remembered } from './memory.ts'
import { notFound, readable } from './read.ts'
import { announce, type InSession, readAgain, type Written } from './remember.ts'
import { gone, rendered } from './replay.ts'
import { understand } from './understand.ts'
import {
  auditMemories,
  deletePostings,
  insertPostings,
  linkEntities,
  oweMemories,
  relabelEmbeddings,
  retireEmbeddings,
  unlinkEntities,
  updateMemories,
  upsertEmbeddings,
  upsertEntities,
  type Write,
} from './write.sql.ts'

/**
 * Makes the next version of a memory. Reads first, because a vector belongs to its content: the write compares the
 * version it has read and, when somebody was quicker, reads again, unless the caller named a version (`If-Match`).
 * Refuses `not_found`, `version_mismatch` with the current version, `conflict` when a new key is taken and for a chunk of a document.
 */
export async function update(deps: Deps, caller: Caller, id: string, changes: Changes): Promise<Written<Remembered>> {
  const statement = selectAnswers(sql`m.id = ${id}::uuid and ${readable(deps.now().toISOString())}`)
  return revise(deps, caller, statement, {
    action: 'memories.update',
    waits: changes.waitFor === 'graph',
    next: (memory, at) => redraft(deps, memory, changes, at),
  })
}

export interface Revision extends InSession {
  action: string
  reason?: string
  waits?: boolean
  /** The namespaces that the request names. */
  ranges?: readonly Range[] | null
  /** What is said when `statement` finds nothing. */
  missing?: string
  /** What is done when `statement` finds nothing, and again when somebody else was quicker to have the key. */
  make?(): Promise<Written<Remembered>>
  /** What the next version is, given the one that was read. Called again when somebody else was quicker. */
  next(memory: Memory, at: Date, row: AnswerRow): Draft
}

/**
 * Reads with `statement`, decides, lets the models add, writes the next version; the one way in which a memory changes.
 * Of those who want to change it at once somebody lands in each round, so the rounds end, at the latest with the
 * request's deadline. Who named a version reads again too, to be told the one that is current.
 */
export async function revise(
  deps: Deps,
  caller: Caller,
  statement: Statement<AnswerRow>,
  revision: Revision,
): Promise<Written<Remembered>> {
  for (;;) {
    const { rows } = await deps.db.asCaller(caller, revision.ranges ?? null, [statement])
    const row = rows[0][0]
    try {
      if (!row && revision.make) return await revision.make()
      if (!row) throw revision.missing === undefined ? notFound() : new Refusal('not_found', revision.missing)
      expectVersion(caller, row.memory)
      const draft = { ...revision.next(row.memory, deps.now(), row), readVersion: row.memory.version }
      await understand(deps, caller, [draft], deps.settings.modelDeadlineMs)
      return { answer: await write(deps, caller, row, draft, revision), replayed: false }
    } catch (error) {
      const replay = await replayed(deps, caller, error, row)
      if (replay) return replay
      const lost = error instanceof Refusal && error.code === 'version_mismatch' && error.details.currentVersion === undefined
      const taken = isUniqueViolation(error)
      const made = revision.make && (taken || (error instanceof Refusal && error.code === 'conflict'))
      if (lost || made) continue
      throw taken ? new Refusal('conflict', 'A live memory with this key exists in this namespace.') : error
    }
  }
}

/** Refuses a caller who named another version than the current one. */
function expectVersion(caller: Caller, memory: { version: number }): void {
  if (caller.ifMatch !== null && caller.ifMatch !== memory.version) throw mismatch(memory.version)
}

export const mismatch = (currentVersion: number) =>
  new Refusal('version_mismatch', `The memory is at version ${currentVersion}.`, { currentVersion })

/** Refusals that an earlier, identical request may be the cause of. */
const MOVED_ON = new Set(['version_mismatch', 'conflict'])

/**
 * An identical request may have been answered before: then what it read or compared since does not matter. Only a
 * refusal that such an answer explains (gone, moved on) costs the look.
 */
async function replayed(deps: Deps, caller: Caller, error: unknown, row: AnswerRow | undefined): Promise<Written<Remembered> | null> {
  let targets = error instanceof Replay ? error.targets : null
  if (!targets && caller.idempotency && error instanceof Refusal && (MOVED_ON.has(error.code) || !row))
    targets = await earlier(deps, caller)
  if (!targets) return null
  const [first] = await rendered(deps, caller, targets)
  if (!first?.ok) throw first?.refusal ?? gone()
  return { answer: first.answer, replayed: true }
}

/** Looks an idempotency key up without claiming it. */
export async function earlier(deps: Deps, caller: Caller): Promise<Replay['targets'] | null> {
  const { rows } = await deps.db.asCaller(caller, null, [
    sql<{ targets: Replay['targets']; same: boolean | null }>`
      select targets, request_hash = ${caller.requestHash}::bytea as same from idempotency_keys
      where tenant_id = current_tenant() and key_id = current_actor() and key = ${caller.idempotency?.key} and part = 0
        and created_at > ${new Date(deps.now().getTime() - (caller.idempotency?.retryMs ?? REQUEST_MS)).toISOString()}::timestamptz`,
  ])
  const found = rows[0][0]
  if (!found) return null
  if (found.same === null) throw gone()
  if (!found.same) throw new Refusal('idempotency_mismatch', 'This idempotency key was used for another request.')
  return found.targets
}

async function write(
  deps: Deps,
  caller: Caller,
  before: AnswerRow,
  d: Draft & { readVersion: number },
  { action, reason, session, ...revision }: Revision,
): Promise<Remembered> {
  const { authorized, rows } = await deps.db.asCaller(
    caller,
    null,
    statements(deps, caller, before, d, { action, reason: reason ?? null }),
    { write: true, repeatable: caller.idempotency !== null },
  )
  const waits = revision.waits || session !== undefined
  // Restored, it has nobody in its place any more.
  const was = before.memory.supersededBy
  const touched = was === undefined ? [d] : [d, { id: was, subject: d.subject }]
  const cache = await announce(deps, caller, authorized as Authorized, touched, { atOnce: waits, session })
  const written = rows.at(-1) as unknown as AnswerRow[]
  const [row] = waits ? await readAgain(deps, authorized, written) : written
  return remembered(row as AnswerRow, { graphEnabled: deps.settings.graphEnabled, cache })
}

function statements(
  deps: Deps,
  caller: Caller,
  before: AnswerRow,
  d: Draft & { readVersion: number },
  { action, reason }: { action: string; reason: string | null },
): Statement[] {
  const now = deps.now().toISOString()
  return [
    ...claim(caller, [{ id: d.id, version: d.readVersion + 1 }], now),
    ...(before.memory.kind === 'document' ? [refuseChunk(d.id)] : []),
    ...revising(deps, before, d, { action, reason, now, idempotencyKey: caller.idempotency?.key ?? null }),
    selectAnswers(sql`m.id = ${d.id}::uuid`),
  ]
}

/** The statements of a next version. Only what differs is touched: a change of metadata leaves words, vector and mentions alone. */
export function revising(
  deps: Pick<Deps, 'id' | 'embedder' | 'settings'>,
  before: AnswerRow,
  d: Draft & { readVersion: number },
  writing: Write,
): Statement[] {
  const { action, now } = writing
  const ids = [d.id]
  const was = before.memory
  const revived = was.deletedAt !== null
  const retexted = revived || d.toEmbed !== null || d.embedding !== null || was.content !== d.content
  // Postgres keeps the fields of what is mentioned in an order of its own.
  const relinked = revived || canonical([was.entities, was.relations]) !== canonical([d.entities, d.relations])
  // What is owed for a text that stays is still owed; a vector that belongs to it stays.
  const stillOwed = {
    embedding: before.owes_embedding && d.embedding === null && d.toEmbed === null,
    entities: before.owes_entities && d.toExtract === null && was.content === d.content,
  }
  d.owesEmbedding ||= stillOwed.embedding
  d.owesEntities ||= stillOwed.entities
  return [
    ...(retexted ? [deletePostings(ids)] : []),
    ...(relinked ? upsertEntities([d], now, deps.id) : []),
    updateMemories([{ ...d, stillOwed }], writing),
    ...(d.embedding ? upsertEmbeddings([d], deps.embedder.model, true) : d.owesEmbedding ? [retireEmbeddings(ids)] : []),
    relabelEmbeddings(ids),
    ...(retexted ? [insertPostings(ids)] : []),
    ...(relinked ? [unlinkEntities(ids, now), ...linkEntities([d])] : []),
    auditMemories(action, ids, now),
    ...(deps.settings.graphEnabled ? [oweMemories(ids, now)] : []),
  ]
}
