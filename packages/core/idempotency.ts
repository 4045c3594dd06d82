import type { Caller } from '@twofold/operation/caller.ts'
import type { ReplayTarget } from './failures.ts'
import { type Statement, sql } from './sql.ts'

/**
 * Claims the caller's idempotency key in the transaction of the write it protects, so that a crash cannot separate
 * them; nothing without one. The row remembers ids, versions and codes, never a body. A list that runs into a twin
 * raises `replay` (thrown as `Replay`), `idempotency_mismatch` or `in_progress`. A batch claims once for each part.
 */
export function claim(caller: Caller, targets: readonly Partial<ReplayTarget>[], now: string, part = 0): Statement[] {
  if (!caller.idempotency) return []
  const { key } = caller.idempotency
  return [
    sql`select claim(${key}, ${part}::int, ${caller.operation}, ${caller.requestHash}::bytea, ${JSON.stringify(targets)}::jsonb, ${now}::timestamptz)`,
  ]
}
