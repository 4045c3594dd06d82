import { collect } from '@twofold/core/entities/collect.ts'
import { forgetRequests, REQUEST_MS } from '@twofold/core/forget-requests.ts'
import { catchUp } from '@twofold/core/graph/catch-up.ts'
import { purgeTombstones, TOMBSTONE_MS } from '@twofold/core/graph/purge.ts'
import { expire } from '@twofold/core/memories/expire.ts'
import { sweepPending } from '@twofold/core/memories/pending.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { type Statement, sql } from '@twofold/core/sql.ts'
import { composed } from '../deps.ts'

/** Tenants looked after in one round for each sort of work; the others come next, longest waiting first. */
const MOST_TENANTS = 50
/** How long one round goes on catching up; less than the minute until the next. */
const CATCH_UP_MS = 20_000

export interface Relayed {
  /** Tenants that had work of each sort, and those whose work failed this time. */
  [work: string]: { tenants: number; failed: number }
}

interface Work {
  name: string
  /** Due is what is older than this, in milliseconds. */
  age: number
  work: (tenant: string) => Promise<unknown>
}

/**
 * One round of what no request waits for: graph writes that a lost nudge left behind, writes whose request died before
 * the graph decided, memories whose time has come, entities nothing refers to, tombstones and requests of more than 24 hours. Of each tenant a bounded
 * part, all at once, so that none holds up another; any of it may run in several processes at once and be cut off at any moment.
 */
export const relay = (deps: Deps) => async (): Promise<Relayed> => {
  const now = deps.now().getTime()
  const works: Work[] = [
    { name: 'pending', age: 0, work: (tenant) => sweepPending(deps, tenant) },
    { name: 'expired', age: 0, work: (tenant) => expire(deps, tenant) },
    { name: 'collect', age: 0, work: (tenant) => collect(deps, tenant) },
    { name: 'requests', age: REQUEST_MS, work: (tenant) => forgetRequests(deps, tenant) },
  ]
  if (deps.settings.graphEnabled) {
    works.push(
      { name: 'graph', age: 0, work: (tenant) => catchUp(deps, tenant, new Date(now + CATCH_UP_MS)) },
      { name: 'tombstones', age: TOMBSTONE_MS, work: (tenant) => purgeTombstones(deps, tenant) },
    )
  }
  const waiting = await deps.db.across(works.map(({ name, age }) => tenantsWith(name, new Date(now - age))))
  const relayed: Relayed = {}
  for (const [i, { name, work }] of works.entries()) {
    const tenants = (waiting[i] ?? []).map((row) => row.tenant)
    const results = await Promise.allSettled(tenants.map(work))
    const failed = results.filter((result) => result.status === 'rejected')
    for (const { reason } of failed)
      deps.log.error('relay.failed', { work: name, reason: reason instanceof Error ? reason.name : 'unknown' })
    if (tenants.length > 0) relayed[name] = { tenants: tenants.length, failed: failed.length }
  }
  return relayed
}

const tenantsWith = (work: string, at: Date): Statement<{ tenant: string }> =>
  sql<{ tenant: string }>`select tenant from tenants_with(${work}, ${at.toISOString()}::timestamptz, ${MOST_TENANTS}::int)`

export const handler = async () => relay((await composed()).deps)()
