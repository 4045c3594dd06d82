import { raw, type Statement } from '@twofold/core/sql.ts'
import { type Endpoint, sender } from './endpoint.ts'

/** A migration or an index of a large table takes its time; a connection that says nothing for longer is dead. */
const TIMEOUT_MS = 280_000

/** Runs statements as one transaction with the owner's rights, one such transaction at a time in the whole database. */
export type Owner = (statements: readonly Statement<any>[]) => Promise<Record<string, unknown>[][]>

export function asOwner(endpoint: Endpoint): Owner {
  const send = sender(endpoint)
  const begin = raw(
    `select set_config('search_path', 'public', true), set_config('timezone', 'UTC', true), pg_advisory_xact_lock(2718281828)`,
  )
  return async (statements) => (await send([begin, ...statements], AbortSignal.timeout(TIMEOUT_MS))).slice(1)
}
