import type { Caller } from '@twofold/operation/caller.ts'
import { canonical } from '@twofold/operation/json.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { afterWriting, Replay } from '../failures.ts'
import { claim } from '../idempotency.ts'
import { announce, type Written } from '../memories/remember.ts'
import { gone } from '../memories/replay.ts'
import { understand } from '../memories/understand.ts'
import { earlier, mismatch } from '../memories/update.ts'
import { exactly, placeOf, subjectOf } from '../namespaces/namespace.ts'
import type { Authorized, Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { placing } from './chunks.sql.ts'
import { chunksOf } from './chunks.ts'
import { type DocumentAnswer, MOST_BYTES, sha256, typeOf } from './document.ts'
import {
  type Before,
  byId,
  type Fields,
  insertDocument,
  type State,
  selectBefore,
  selectDocument,
  selectPlaced,
  settle,
  there,
  updateDocument,
} from './documents.sql.ts'
import { draftsOf, labelOf, owe } from './drafts.ts'
import type { DocumentInput } from './input.ts'
import { type Placed, planOf, stepOf } from './plan.ts'

/** Chunks for whose vectors and entities a request waits; of more the schedule makes all. */
const AT_ONCE = 32

export interface Put extends Written<DocumentAnswer> {
  /** There was none under this path. */
  created: boolean
}

/**
 * Indexes a file: the next version of the document under its path, or the first. The same content, title, type and
 * metadata again change nothing. Up to 500 chunks are made in the one statement list that writes the document; what is
 * more follows by itself, and it is `pending` until then. Chunks that say what they said stay as they are; replaced ones
 * are out of every search with that list, before all of the new ones are there. Refuses `too_large` above 4 MiB or 20,000
 * chunks, and `version_mismatch` for another version than the one named.
 */
export async function putDocument(deps: Deps, caller: Caller, input: DocumentInput): Promise<Put> {
  const bytes = Buffer.byteLength(input.content)
  if (bytes > MOST_BYTES) {
    const detail = `A document must not be larger than ${MOST_BYTES} bytes of content; this one has ${bytes}.`
    throw new Refusal('too_large', detail, { maxBytes: MOST_BYTES })
  }
  const namespace = placeOf(input) as string
  const documentType = input.documentType ?? typeOf(input.filePath)
  const metadata = input.metadata ?? {}
  const { filePath, title, content } = input
  const fields = { filePath, title, documentType, metadata: canonical(metadata), content, bytes, contentHash: sha256(content) }
  const [path, model] = [{ namespace, pathHash: sha256(filePath) }, deps.embedder.model]
  const look: [Statement<Before>, Statement<Placed>] = [
    selectBefore({ ...path, model }, fields),
    selectPlaced(there(sql`d.namespace = ${namespace} and d.path_hash = ${path.pathHash}`)),
  ]
  for (;;) {
    const { rows } = await deps.db.asCaller(caller, exactly(namespace), look)
    const before = rows[0][0] ?? null
    try {
      expectVersion(caller, before)
      if (before?.unchanged) return await unchanged(deps, caller, before)
      return await write(deps, caller, { ...path, model, fields, before, placed: rows[1], metadata })
    } catch (error) {
      const moved = error instanceof Refusal && error.code === 'version_mismatch'
      const targets = error instanceof Replay ? error.targets : moved && caller.idempotency ? await earlier(deps, caller) : null
      if (targets) return await replayed(deps, caller, targets)
      // Somebody else was quicker: what he left is read again, unless the caller named a version.
      if (!moved || error.details.currentVersion !== undefined) throw error
    }
  }
}

function expectVersion(caller: Caller, before: Before | null): void {
  if (caller.ifMatch === null || caller.ifMatch === before?.document.version) return
  throw before
    ? mismatch(before.document.version)
    : new Refusal('version_mismatch', 'There is no document under this path.', { currentVersion: null })
}

/** Nothing is written but, where the request has one, its idempotency key. */
async function unchanged(deps: Deps, caller: Caller, { document }: Before): Promise<Put> {
  const claimed = claim(caller, [{ id: document.id, version: document.version }], deps.now().toISOString())
  if (claimed.length > 0) await deps.db.asCaller(caller, null, claimed, { write: true, repeatable: true })
  return { answer: { document }, replayed: false, created: false }
}

interface Wanted extends Pick<State, 'namespace' | 'pathHash' | 'model'> {
  fields: Omit<Fields, 'chunkCount'>
  metadata: Record<string, unknown>
  before: Before | null
  placed: readonly Placed[]
}

async function write(deps: Deps, caller: Caller, { fields, metadata, before, placed, ...path }: Wanted): Promise<Put> {
  const at = deps.now()
  const now = at.toISOString()
  const id = before?.document.id ?? deps.id()
  const version = (before?.document.version ?? 0) + 1
  const chunks = chunksOf({ ...fields, markdown: fields.documentType === 'markdown' })
  const labelled = labelOf(metadata)
  const { step, left } = stepOf(planOf(chunks, placed, labelled.hash))
  const drafts = draftsOf(deps, { id, namespace: path.namespace, ...fields, metadata }, step.place, at)
  if (drafts.length <= AT_ONCE) await understand(deps, caller, drafts, deps.settings.batchModelDeadlineMs)
  else owe(drafts)
  const state = { id, ...path, toPlace: left, now }
  const all = { ...fields, chunkCount: chunks.length }
  const idempotencyKey = caller.idempotency?.key ?? null
  const statements: Statement[] = [
    ...claim(caller, [{ id, version }], now),
    before ? updateDocument(state, all, version - 1) : insertDocument(state, all),
    ...placing(deps, { ...step, documentId: id, drafts, labelled, idempotencyKey, now }),
    settle(id, path.model, now),
    sql`select audit('documents.put', array[${id}::uuid], array[${path.namespace}::text], array[${version}::int], ${now}::timestamptz)`,
    selectDocument(byId(id), path.model),
  ]
  const { authorized, rows } = await deps.db.asCaller(caller, exactly(path.namespace), statements, {
    write: true,
    repeatable: caller.idempotency !== null,
  })
  await tell(deps, caller, authorized, path.namespace, [...drafts.map((draft) => draft.id), ...step.label, ...step.out])
  return { answer: (rows.at(-1) as unknown as DocumentAnswer[])[0] as DocumentAnswer, replayed: false, created: before === null }
}

export async function tell(deps: Deps, caller: Caller, authorized: Authorized, namespace: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  const subject = subjectOf(namespace)
  await announce(
    deps,
    caller,
    authorized,
    ids.map((id) => ({ id, subject })),
  )
}

/** The document as it is now, with the status that the first answer had. */
async function replayed(deps: Deps, caller: Caller, [target]: Replay['targets']): Promise<Put> {
  const { rows } = await afterWriting(deps.db.asCaller(caller, null, [selectDocument(byId(target?.id as string), deps.embedder.model)]))
  if (!rows[0][0]) throw gone()
  return { answer: rows[0][0], replayed: true, created: target?.version === 1 }
}
