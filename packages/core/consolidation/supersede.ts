import { Refusal } from '@twofold/operation/refusal.ts'
import { retire } from '../memories/forget.sql.ts'
import { auditMemories, deletePostings, oweMemories, relabelEmbeddings, unlinkEntities } from '../memories/write.sql.ts'
import { type Statement, sql } from '../sql.ts'
import type { Group } from './candidate.ts'

export interface Superseding {
  action: string
  now: string
  graphEnabled: boolean
}

/**
 * The statement list by which memories take the place of others: these are deleted softly, as a version of its own that
 * points to what superseded them. Refuses with those that are not any more as they were `seen`; nothing is changed then.
 */
export function supersede(
  groups: readonly Group[],
  seen: ReadonlyMap<string, number>,
  { action, now, graphEnabled }: Superseding,
): Statement[] {
  const by = groups.flatMap(({ kept, merged, reason }) => merged.map((id) => ({ id, by: kept, reason })))
  if (by.length === 0) return []
  const merged = by.map(({ id }) => id)
  const all = [...new Set([...groups.map(({ kept }) => kept), ...merged])]
  return [
    ...stillAs(seen, all, now),
    deletePostings(merged),
    unlinkEntities(merged, now),
    retire(merged, { action, reason: null, now, by }),
    relabelEmbeddings(merged),
    auditMemories(action, merged, now),
    ...(graphEnabled ? [oweMemories(all, now)] : []),
  ]
}

/** Locks these and refuses with those of them that were seen and have changed since. */
export function stillAs(seen: ReadonlyMap<string, number>, ids: readonly string[], now: string): Statement[] {
  const known = ids.filter((id) => seen.has(id))
  return [
    sql`select m.id from memories m where m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[]) order by m.id for update`,
    ...(known.length === 0 ? [] : [unchanged(known, seen, now)]),
  ]
}

const unchanged = (ids: readonly string[], seen: ReadonlyMap<string, number>, now: string): Statement => sql`
  select refuse('version_mismatch', 'A memory has changed since it was read.', jsonb_build_object('changed', jsonb_agg(s.id)))
  from jsonb_to_recordset(${JSON.stringify(ids.map((id) => ({ id, version: seen.get(id) })))}::jsonb) as s (id uuid, version int)
  left join memories m on m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[]) and m.id = s.id
  where m.id is null or m.version <> s.version or m.deleted_at is not null or m.pending_until is not null or m.ends_at <= ${now}::timestamptz
  having count(*) > 0`

/** Those of them that are as a restoration left them. */
export const restored = (ids: readonly string[]): Statement<{ id: string }> => sql<{ id: string }>`
  select m.id from memories m join memory_versions v on v.tenant_id = m.tenant_id and v.memory_id = m.id and v.version = m.version
  where m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[]) and v.action = 'memories.restore'`

/** Those that a list refused because somebody changed them meanwhile; null for every other failure. */
export const changedIn = (error: unknown): Set<string> | null =>
  error instanceof Refusal && Array.isArray(error.details.changed) ? new Set(error.details.changed as string[]) : null

/** The groups without what has changed: whoever edits a memory wins over who would merge it. */
export const without = (groups: readonly Group[], changed: ReadonlySet<string>): Group[] =>
  groups.flatMap((group) => {
    const merged = changed.has(group.kept) ? [] : group.merged.filter((id) => !changed.has(id))
    return merged.length === 0 ? [] : [{ ...group, merged }]
  })
