import { type Statement, sql } from '@twofold/core/sql.ts'
import type { Round } from './scheduled.ts'

/** Tenants looked after in one round for each sort of work; the others come next, longest waiting first. */
const MOST_TENANTS = 50

export interface Work {
  /** As `tenants_with` knows it. */
  name: string
  /** Tenants that have some, longest waiting first, where `tenants_with` cannot tell. */
  waiting?(now: Date, most: number): Statement<{ tenant: string }>
  /** Due is what is older than this, in milliseconds. */
  age?: number
  /** Of the graph: nothing to do where there is none. */
  graph?: true
  /** Answers true when there may be more of it for this tenant. */
  work(tenant: string): Promise<unknown>
}

export interface Worked {
  /** Tenants that had work of each sort, and those whose work failed this time. */
  [work: string]: { tenants: number; failed: number }
}

/**
 * Does these sorts of work, one after the other, for the tenants that have some: of each a bounded part, all at once, so
 * that none holds up another, and again while there is more and time. What fails is logged and due in the next round.
 */
export async function forTenants({ deps, until, signal }: Round, works: readonly Work[]): Promise<Worked> {
  const sorts = works.filter(({ graph }) => !graph || deps.settings.graphEnabled)
  if (sorts.length === 0) return {}
  const waiting = await deps.db.across(sorts.map((work) => tenantsWith(work, deps.now())))
  const worked: Worked = {}
  for (const [i, work] of sorts.entries()) {
    if (signal.aborted) break
    const [seen, failed] = [new Set<string>(), new Set<string>()]
    let tenants = (waiting[i] ?? []).map((row) => row.tenant)
    for (let more = false; tenants.some((tenant) => more || !seen.has(tenant)); ) {
      const results = await Promise.allSettled(tenants.map(work.work))
      for (const [n, result] of results.entries()) {
        seen.add(tenants[n] as string)
        if (result.status === 'fulfilled') continue
        failed.add(tenants[n] as string)
        deps.log.error('schedule.tenant_failed', { work: work.name, error: result.reason })
      }
      more = failed.size === 0 && results.some((result) => result.status === 'fulfilled' && result.value === true)
      if (deps.now() >= until || signal.aborted || !(more || tenants.length === MOST_TENANTS)) break
      tenants = (await deps.db.across([tenantsWith(work, deps.now())]))[0].map((row) => row.tenant)
    }
    if (seen.size > 0) worked[work.name] = { tenants: seen.size, failed: failed.size }
  }
  return worked
}

/** Tenants with work of this sort that is due, longest waiting first. */
export const tenantsWith = (
  { name, age = 0, waiting }: Pick<Work, 'name' | 'age' | 'waiting'>,
  now: Date,
  most = MOST_TENANTS,
): Statement<{ tenant: string }> =>
  waiting?.(now, most) ??
  sql<{ tenant: string }>`
    select tenant from tenants_with(${name}, ${new Date(now.getTime() - age).toISOString()}::timestamptz, ${most}::int)`
