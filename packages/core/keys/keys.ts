import { createHash } from 'node:crypto'
import type { Caller } from '@twofold/operation/caller.ts'
import { invalid, Refusal } from '@twofold/operation/refusal.ts'
import { afterWriting, Replay } from '../failures.ts'
import { claim } from '../idempotency.ts'
import type { Written } from '../memories/remember.ts'
import { granted } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import type { ApiKey, KeyAnswer, KeyInput } from './key.ts'
import { insertKey, revokeKey, rotateKey, selectKey, selectKeys } from './keys.sql.ts'

const noKey = () => new Refusal('not_found', 'There is no such key.')
export const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest()

/** Makes a key. Its grants must lie inside the maker's own (`forbidden`). The secret is answered once, never in a replay. */
export async function makeKey(deps: Deps, caller: Caller, input: KeyInput): Promise<Written<KeyAnswer>> {
  const now = deps.now().toISOString()
  if (input.expiresAt !== undefined && input.expiresAt <= now) throw invalid([{ path: 'expiresAt', message: 'must be in the future' }])
  const [id, secret] = [deps.id(), deps.secret()]
  const ranges = granted(input.namespaces)
  return once(deps, caller, async () => {
    const { rows } = await deps.db.asCaller(
      caller,
      ranges,
      [
        ...claim(caller, [{ id }], now),
        insertKey({ ...input, id, hash: hashOf(secret), expiresAt: input.expiresAt ?? null }, now),
        selectKey(id),
      ],
      { write: true },
    )
    return { key: (rows.at(-1) as { key: ApiKey }[])[0]?.key as ApiKey, secret }
  })
}

/** The keys that are alive, oldest first, as far as they see no more than the caller. */
export async function listKeys(
  deps: Deps,
  caller: Caller,
  page: { limit: number; after: string | null },
): Promise<{ items: ApiKey[]; next: string | null }> {
  const { rows } = await deps.db.asCaller(caller, null, [selectKeys(page.limit + 1, page.after)])
  const items = rows[0].slice(0, page.limit).map((row) => row.key)
  return { items, next: rows[0].length > page.limit ? (items.at(-1)?.id ?? null) : null }
}

/** Kills a key: the next request with it is `unauthenticated`, whatever any process remembers. */
export async function revoke(deps: Deps, caller: Caller, id: string): Promise<Written<{ key: ApiKey }>> {
  const now = deps.now().toISOString()
  return once(deps, caller, async () => {
    const { rows } = await deps.db.asCaller(caller, null, [...claim(caller, [{ id }], now), revokeKey(id, now)], { write: true })
    const [row] = rows.at(-1) as { key: ApiKey }[]
    if (!row) throw noKey()
    return { key: row.key }
  })
}

/** Gives a key a new secret under the same id. The old one dies at once, or after `graceSeconds`. */
export async function rotate(deps: Deps, caller: Caller, id: string, graceSeconds: number): Promise<Written<KeyAnswer>> {
  const at = deps.now()
  const secret = deps.secret()
  const until = graceSeconds > 0 ? new Date(at.getTime() + graceSeconds * 1000).toISOString() : null
  return once(deps, caller, async () => {
    const { rows } = await deps.db.asCaller(
      caller,
      null,
      [...claim(caller, [{ id }], at.toISOString()), rotateKey(id, hashOf(secret), until)],
      { write: true },
    )
    const [row] = rows.at(-1) as { key: ApiKey }[]
    if (!row) throw noKey()
    return { key: row.key, secret }
  })
}

/** A replay shows the key as it is now, without a secret. */
async function once<T extends KeyAnswer>(deps: Deps, caller: Caller, write: () => Promise<T>): Promise<Written<T>> {
  try {
    return { answer: await write(), replayed: false }
  } catch (error) {
    if (!(error instanceof Replay)) throw error
    const { rows } = await afterWriting(deps.db.asCaller(caller, null, [selectKey(error.targets[0]?.id ?? '')]))
    if (!rows[0][0]) throw noKey()
    return { answer: { key: rows[0][0].key } as T, replayed: true }
  }
}
