import type { Caller } from '@twofold/operation/caller.ts'
import { introduce } from '../keys/introduce.ts'
import { inside } from '../namespaces/inside.sql.ts'
import { exactly, granted } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import { type Conversation, lasting, selectConversations } from './conversation.ts'

/** Conversations that have not expired, the one that began last first. A page goes on after the last one of the page before. */
export async function listConversations(
  deps: Deps,
  caller: Caller,
  { userId, limit, after }: { userId?: string; limit: number; after: string | null },
): Promise<{ items: Conversation[]; next: string | null }> {
  const ranges = userId === undefined ? granted((await introduce(deps, caller, null)).grants) : exactly(`user:${userId}`)
  const now = deps.now().toISOString()
  const where = sql`c.tenant_id = current_tenant() and ${inside(sql`c.namespace`, ranges)} and ${lasting(now)}
    and ${after === null ? sql`true` : sql`c.id < ${after}::uuid`}`
  const { rows } = await deps.db.asCaller(caller, ranges, [
    selectConversations(where, { now, ttlHours: deps.settings.turnTtlHours, most: limit + 1 }),
  ])
  const items = rows[0].slice(0, limit)
  return { items, next: rows[0].length > limit ? (items.at(-1)?.key ?? null) : null }
}
