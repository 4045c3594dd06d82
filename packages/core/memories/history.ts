import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { createPatch } from 'rfc6902'
import { firstOf } from '../page.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import type { Memory } from './memory.ts'
import { squashed } from './read.ts'
import { byId, type Which } from './which.sql.ts'

export interface HistoryItem {
  version: number
  action: string
  reason: string | null
  actor: string
  onBehalfOf: string | null
  requestId: string | null
  at: string
  /** How many versions between the one before and this one were squashed. */
  squashed: number
  memory: Memory
}

interface HistoryPage {
  limit: number
  after: number | null
}

/**
 * Every version of a memory, newest first, with who made it, when, by what and why; deleted ones too, until they are deleted
 * for good. Where versions were squashed, the next one says how many. Fewer than `limit` where they are large.
 */
export const history = (deps: Deps, caller: Caller, id: string, page: HistoryPage) => historyWhich(deps, caller, byId(id), page)

/** The same of any memory. */
export async function historyWhich(
  deps: Deps,
  caller: Caller,
  which: Which,
  page: HistoryPage,
): Promise<{ items: HistoryItem[]; next: number | null }> {
  const { rows } = await deps.db.asCaller(caller, which.ranges, [
    exists(which),
    sql<Omit<HistoryItem, 'squashed'>>`
      select v.version, v.action, v.reason, v.actor, v.on_behalf_of as "onBehalfOf", v.request_id as "requestId", iso(v.at) as at, v.memory
      from memory_versions v
      where v.tenant_id = current_tenant() and v.memory_id = ${which.id} and v.version < coalesce(${page.after}::int, 2147483647)
      order by v.version desc limit ${page.limit + 1}::int`,
  ])
  const versions = rows[1].map((item, i) => ({ ...item, squashed: item.version - 1 - (rows[1][i + 1]?.version ?? 0) }))
  const { rows: items, more } = firstOf(versions, page.limit)
  return { items, next: more ? (items.at(-1)?.version ?? null) : null }
}

/**
 * How one version becomes another, as a JSON Patch (RFC 6902). Refuses `not_found` for versions there never were, `gone` for
 * those that were squashed.
 */
export async function diff(deps: Deps, caller: Caller, id: string, from: number, to: number) {
  const { rows } = await deps.db.asCaller(caller, null, [
    exists(byId(id)),
    sql<{ current: number }>`select m.version as current from memories m where m.tenant_id = current_tenant() and m.id = ${id}::uuid`,
    sql<{ version: number; memory: Memory }>`
      select v.version, v.memory from memory_versions v
      where v.tenant_id = current_tenant() and v.memory_id = ${id}::uuid and v.version in (${from}::int, ${to}::int)`,
  ])
  const [a, b] = [from, to].map((version) => {
    const found = rows[2].find((row) => row.version === version)
    if (found) return found.memory
    throw version <= (rows[1][0]?.current ?? 0)
      ? squashed(`Version ${version}`)
      : new Refusal('not_found', `The memory has no version ${version}.`)
  })
  return { from, to, patch: createPatch(a, b).map((operation) => ({ ...operation })) }
}

const exists = ({ id, missing }: Which): Statement => sql`
  select refuse('not_found', ${missing}) where not exists (
    select from readable_memories m where m.tenant_id = current_tenant() and m.id = ${id} and visible(m.namespace))`
