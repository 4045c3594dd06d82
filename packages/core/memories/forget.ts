import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { refuseChunk } from '../documents/belongs.sql.ts'
import { afterWriting, Replay } from '../failures.ts'
import { claim } from '../idempotency.ts'
import type { Deps } from '../ports.ts'
import type { Statement } from '../sql.ts'
import type { CacheState } from './answer.ts'
import { textOf } from './draft.ts'
import { erase, expect, type LedgerRow, ledgerOf, lock, type Removed, releaseKeys, retire, unlink, versionsOf } from './forget.sql.ts'
import type { Receipt } from './memory.ts'
import { announce, type Written } from './remember.ts'
import { earlier } from './update.ts'
import { auditMemories, deletePostings, oweMemories, relabelEmbeddings } from './write.sql.ts'

export interface Forgotten {
  deleted: boolean
  hard: boolean
  receipt: Receipt
}

export interface Forgetting {
  /** Removes every version, vector, word and mention for good. Softly, all versions stay and `restore` brings the memory back. */
  hard: boolean
  /** False keeps the entities that only this memory mentioned. */
  cascadeGraph: boolean
}

/**
 * Deletes a memory in both stores. Refuses `not_found` (also for what is softly deleted already, unless `hard`),
 * `version_mismatch`, and `conflict` for a chunk of a document. The request that deleted it is answered the same when it is sent again.
 */
export async function forget(deps: Deps, caller: Caller, id: string, options: Forgetting): Promise<Written<Forgotten>> {
  // Before the rows as well: of a process that dies in between nobody would know which texts were theirs.
  if (options.hard) await forgetTexts(deps, (await deps.db.asCaller(caller, null, [versionsOf([id])])).rows[0])
  // Not before that reading: an idempotency key is kept for a day from here.
  const now = deps.now().toISOString()
  const removal = options.hard ? erase([id]) : retire([id], { action: 'memories.delete', reason: null, now })
  const list = statements(deps, caller, id, options, removal, now)
  try {
    const { authorized, rows } = await deps.db.asCaller(caller, null, list, { write: true, repeatable: caller.idempotency !== null })
    const removed = rows[list.indexOf(removal)] as unknown as Removed[]
    const [ledger] = rows.at(-1) as unknown as LedgerRow[]
    if (options.hard) await forgetTexts(deps, removed)
    const cache = await announce(deps, caller, authorized, [{ id, subject: (removed[0] as Removed).subject }])
    return { answer: answer(deps, options.hard, ledger, now, cache), replayed: false }
  } catch (error) {
    const vanished = error instanceof Refusal && (error.code === 'not_found' || error.code === 'version_mismatch')
    const before = error instanceof Replay ? error.targets : vanished && caller.idempotency ? await earlier(deps, caller) : null
    if (!before) throw error
    const { rows } = await afterWriting(deps.db.asCaller(caller, null, [ledgerOf(before[0]?.id ?? id)]))
    return { answer: answer(deps, options.hard, rows[0][0], now, 'written'), replayed: true }
  }
}

/** Caches know vectors by the text they were made of. */
export const forgetTexts = ({ cache, embedder }: Deps, versions: readonly Pick<Removed, 'memory'>[]): Promise<void> =>
  cache.forgetEmbeddings(
    embedder.model,
    versions.map(({ memory }) => textOf(memory)),
  )

function statements(
  deps: Deps,
  caller: Caller,
  id: string,
  { hard, cascadeGraph }: Forgetting,
  removal: Statement<Removed>,
  now: string,
): Statement[] {
  const ids = [id]
  const owed = deps.settings.graphEnabled ? [oweMemories(ids, now)] : []
  return [
    ...claim(caller, [{ id }], now),
    lock(id),
    ...expect(id, caller.ifMatch, hard),
    refuseChunk(id),
    deletePostings(ids),
    ...unlink(ids, cascadeGraph, now),
    ...(hard ? [auditMemories('memories.delete_hard', ids, now), ...owed, releaseKeys(ids)] : []),
    removal,
    ...(hard ? [] : [relabelEmbeddings(ids), auditMemories('memories.delete', ids, now), ...owed]),
    ledgerOf(id),
  ]
}

function answer(deps: Deps, hard: boolean, ledger: LedgerRow | undefined, now: string, cache: CacheState): Forgotten {
  const graph = !deps.settings.graphEnabled ? 'disabled' : ledger && !ledger.shown ? (ledger.parked ? 'failed' : 'owed') : 'written'
  return {
    deleted: true,
    hard,
    receipt: {
      vectorWriteSuccess: true,
      graphWriteSuccess: graph === 'written',
      stores: {
        vector: { state: 'written', version: null, at: now },
        graph: { state: graph, version: null, at: graph === 'written' ? (ledger?.shown_at ?? now) : null },
        cache: { state: cache },
      },
      owed: [...(graph === 'owed' ? (['graph'] as const) : []), ...(cache === 'failed' ? (['cache'] as const) : [])],
    },
  }
}
