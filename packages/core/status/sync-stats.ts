import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import { countDrift } from '../consistency/drift.sql.ts'
import { lastRun } from '../consistency/run.sql.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { Agreement, agreementOf, inPostgres } from './agreement.ts'

export const SyncStats = z.object({
  status: z.literal('success'),
  stats: Agreement.extend({
    lastRun: z.string().nullable(),
    nextRun: z.string().nullable().meta({ description: 'Null where no schedule looks, or none has looked yet.' }),
    drift: z.object({
      open: z.number().meta({ description: 'Inconsistencies that the last looks found and nobody has repaired yet.' }),
      repaired: z.number(),
    }),
  }),
})
export type SyncStats = z.infer<typeof SyncStats>

/** When the schedule that compares the stores began its last round. */
const syncBegun: Statement<{ at: string | null }> = sql<{ at: string | null }>`select iso(schedule_begun('sync')) as at`

/** How far the stores agree, counted in them in this request, and what runs have found of the whole tenant. */
export async function syncStats(deps: Deps, caller: Caller): Promise<SyncStats> {
  const { authorized, rows } = await deps.db.asCaller(caller, null, [...inPostgres(deps), countDrift, lastRun, syncBegun])
  const [counted, generation, [drift], [last], [begun]] = rows
  const { memories: _, ...agreement } = await agreementOf(deps, authorized.tenant, [counted, generation])
  return {
    status: 'success',
    stats: {
      ...agreement,
      lastRun: last?.at ?? null,
      nextRun: nextRun(deps, begun?.at ?? null),
      drift: drift ?? { open: 0, repaired: 0 },
    },
  }
}

/** One interval after the last began; a round that is overdue comes as soon as anything wakes it. */
function nextRun({ settings, now }: Pick<Deps, 'settings' | 'now'>, begun: string | null): string | null {
  if (!settings.autoSync || !settings.graphEnabled || begun === null) return null
  return new Date(Math.max(now().getTime(), Date.parse(begun) + settings.syncIntervalMs)).toISOString()
}
