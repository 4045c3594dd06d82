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
  const { key, retryMs } = caller.idempotency
  return [
    sql`select claim(${key}, ${part}::int, ${caller.operation}, ${caller.requestHash}::bytea, ${JSON.stringify(targets)}::jsonb, ${now}::timestamptz,
      ${retryMs === undefined ? null : `${retryMs} ms`}::interval)`,
  ]
}

/** What is remembered of a request that has claimed its key, where that is known only by the statement this is a part of. */
export const remembering = (caller: Caller, targets: Statement): Statement => sql`
  update idempotency_keys k set targets = ${targets}
  where k.tenant_id = current_tenant() and k.key_id = current_actor() and k.key = ${caller.idempotency?.key ?? null} and k.part = 0`

/** Says what the claimed key is to remember, where only the write itself could tell: `target` selects one id and version. */
export function noteTarget(caller: Caller, target: Statement): Statement[] {
  if (!caller.idempotency) return []
  return [
    remembering(
      caller,
      sql`coalesce((select jsonb_build_array(jsonb_build_object('id', t.id, 'version', t.version)) from (${target}) t), k.targets)`,
    ),
  ]
}
