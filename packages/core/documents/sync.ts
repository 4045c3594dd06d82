import type { Caller } from '@twofold/operation/caller.ts'
import { inside } from '../namespaces/inside.sql.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { there } from './documents.sql.ts'
import { goOn, type Time } from './go-on.ts'
import { ofAnother, type Place, rangesOf } from './list.ts'

/** How long one request goes on with documents, in milliseconds. */
const LONGEST_MS = 10_000
/** Documents that one look at the table brings. */
const PAGE = 20

export interface Progress {
  /** Documents there, of these synced, failed, and not synced for whatever reason. */
  total: number
  synced: number
  failed: number
  left: number
  /** The last one that was looked at, when there are more. */
  next: string | null
}

/**
 * Goes on with the documents of a place that are not synced, in the order of their ids, for some seconds: pending, stale and
 * failed ones alike. Refuses `forbidden` outside of the grant.
 */
export async function syncDocuments(deps: Deps, caller: Caller, place: Place & { after: string | null }): Promise<Progress> {
  const ranges = await rangesOf(deps, caller, place)
  const time: Time = {
    until: new Date(deps.now().getTime() + LONGEST_MS),
    signal: AbortSignal.any([caller.signal, AbortSignal.timeout(LONGEST_MS)]),
  }
  const { model } = deps.embedder
  const mine = there(inside(sql`d.namespace`, ranges))
  let after = place.after
  let more = true
  while (more && deps.now() < time.until && !time.signal.aborted) {
    const { authorized, rows } = await deps.db.asCaller(caller, ranges, [
      sql<{ id: string }>`select d.id from documents d
        where ${mine} and ${unsynced(model)} and ${after === null ? sql`true` : sql`d.id > ${after}::uuid`} order by d.id limit ${PAGE}::int`,
    ])
    for (const { id } of rows[0]) {
      if (deps.now() >= time.until || time.signal.aborted) break
      await goOn(deps, authorized.tenant, id, time)
      after = id
    }
    more = rows[0].length === PAGE || after !== rows[0].at(-1)?.id
    if (rows[0].length === 0) more = false
  }
  const { rows } = await deps.db.asCaller(caller, ranges, [
    sql<Omit<Progress, 'next'>>`
      select count(*)::int as total, (count(*) filter (where not ${unsynced(model)}))::int as synced,
        (count(*) filter (where d.sync_status = 'failed'))::int as failed, (count(*) filter (where ${unsynced(model)}))::int as left
      from documents d where ${mine}`,
  ])
  return { ...(rows[0][0] as Omit<Progress, 'next'>), next: more ? after : null }
}

const unsynced = (model: string): Statement => sql`(d.sync_status <> 'synced' or d.embedding_model <> ${model})`

/** Documents of one tenant that are gone on with in one part of a round. */
const MOST = 20
/** How long a part may take of a round in which other tenants wait, in milliseconds. */
const PART_MS = 5_000

/** Goes on with a tenant's documents that are due, longest waiting first, for some seconds. Answers whether there may be more. */
export async function syncDue(deps: Deps, tenant: string, { until, signal }: Time): Promise<boolean> {
  const now = deps.now()
  const part = { until: new Date(Math.min(until.getTime(), now.getTime() + PART_MS)), signal }
  const [rows] = await deps.db.asTenant(tenant, [
    sql<{ id: string }>`
      select d.id from (
        (select d.id, d.due_at as since from documents d where d.tenant_id = current_tenant() and d.due_at <= ${now.toISOString()}::timestamptz
          order by d.due_at limit ${MOST}::int)
        union all
        (select d.id, d.updated_at from documents d
          where d.tenant_id = current_tenant() and d.removed_at is null and d.sync_status = 'synced' and d.due_at is null and ${ofAnother(deps.embedder.model)}
          limit ${MOST}::int)) d
      order by d.since limit ${MOST}::int`,
  ])
  let looked = 0
  for (const { id } of rows) {
    if (deps.now() >= part.until || signal.aborted) break
    await goOn(deps, tenant, id, part)
    looked++
  }
  return rows.length === MOST || looked < rows.length
}

/** Tenants with documents that are due. */
export const tenantsWithDocuments = (model: string, now: Date, most: number): Statement<{ tenant: string }> =>
  sql<{ tenant: string }>`select tenant from tenants_with_documents(${model}, ${now.toISOString()}::timestamptz, ${most}::int)`
