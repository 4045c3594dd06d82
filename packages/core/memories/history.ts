import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { createPatch } from 'rfc6902'
import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import type { Memory } from './memory.ts'
import { notFound } from './read.ts'

export interface HistoryItem {
  version: number
  action: string
  reason: string | null
  actor: string
  onBehalfOf: string | null
  requestId: string | null
  at: string
  memory: Memory
}

/** Every version of a memory, newest first, with who made it, when, by what and why; deleted ones too, until they are deleted for good. */
export async function history(
  deps: Deps,
  caller: Caller,
  id: string,
  page: { limit: number; after: number | null },
): Promise<{ items: HistoryItem[]; next: number | null }> {
  const { rows } = await deps.db.asCaller(caller, null, [
    exists(id),
    sql<HistoryItem>`
      select v.version, v.action, v.reason, v.actor, v.on_behalf_of as "onBehalfOf", v.request_id as "requestId", iso(v.at) as at, v.memory
      from memory_versions v
      where v.tenant_id = current_tenant() and v.memory_id = ${id}::uuid and v.version < coalesce(${page.after}::int, 2147483647)
      order by v.version desc limit ${page.limit + 1}::int`,
  ])
  const items = rows[1].slice(0, page.limit)
  return { items, next: rows[1].length > page.limit ? (items.at(-1)?.version ?? null) : null }
}

/** How one version becomes another, as a JSON Patch (RFC 6902). Refuses `not_found` for versions there are not. */
export async function diff(deps: Deps, caller: Caller, id: string, from: number, to: number) {
  const { rows } = await deps.db.asCaller(caller, null, [
    exists(id),
    sql<{ version: number; memory: Memory }>`
      select v.version, v.memory from memory_versions v
      where v.tenant_id = current_tenant() and v.memory_id = ${id}::uuid and v.version in (${from}::int, ${to}::int)`,
  ])
  const [a, b] = [from, to].map((version) => rows[1].find((row) => row.version === version)?.memory)
  if (!a || !b) throw new Refusal('not_found', `The memory has no version ${a ? to : from}.`)
  return { from, to, patch: createPatch(a, b).map((operation) => ({ ...operation })) }
}

const exists = (id: string) => sql`
  select refuse('not_found', ${notFound().message}) where not exists (
    select from readable_memories m where m.tenant_id = current_tenant() and m.id = ${id}::uuid and visible(m.namespace))`
