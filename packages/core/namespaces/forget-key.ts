import type { Caller } from '@twofold/operation/caller.ts'
import { type Forgetting, type Forgotten, forget } from '../memories/forget.ts'
import { notFound } from '../memories/read.ts'
import type { Written } from '../memories/remember.ts'
import { earlier } from '../memories/update.ts'
import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import { holder, type Place } from './holder.sql.ts'

/** Deletes the memory that has a key: softly, which frees the key and keeps the past, or for good. Refuses as `forget` does. */
export async function forgetKey(deps: Deps, caller: Caller, place: Place, options: Forgetting): Promise<Written<Forgotten>> {
  const { id, ranges, missing } = holder(place)
  const { rows } = await deps.db.asCaller(caller, ranges, [sql<{ id: string | null }>`select ${id} as id`])
  // Deleted for good by the same request, when it was sent before.
  const target = rows[0][0]?.id ?? (caller.idempotency && (await earlier(deps, caller))?.[0]?.id)
  if (!target) throw notFound(missing)
  return forget(deps, caller, target, options)
}
