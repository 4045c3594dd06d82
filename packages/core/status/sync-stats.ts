import type { Caller } from '@twofold/operation/caller.ts'
import { z } from 'zod'
import { countDrift, lastRun } from '../consistency/drift.sql.ts'
import type { Deps } from '../ports.ts'
import { Agreement, status } from './status.ts'

export const SyncStats = z.object({
  status: z.literal('success'),
  stats: Agreement.extend({
    lastRun: z.string().nullable(),
    nextRun: z.string().nullable().meta({ description: 'Null when nobody looks by himself.' }),
    drift: z.object({
      open: z.number().meta({ description: 'Inconsistencies that the last looks found and nobody has repaired yet.' }),
      repaired: z.number(),
    }),
  }),
})
export type SyncStats = z.infer<typeof SyncStats>

/** How far the stores agree, counted in them in this request, and what runs have found of the whole tenant. */
export async function syncStats(deps: Deps, caller: Caller): Promise<SyncStats> {
  const { rows } = await deps.db.asCaller(caller, null, [countDrift, lastRun])
  const [[drift], [last]] = rows
  const { sync } = await status(deps, caller)
  return { status: 'success', stats: { ...sync, lastRun: last?.at ?? null, nextRun: null, drift: drift ?? { open: 0, repaired: 0 } } }
}
