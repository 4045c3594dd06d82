import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import type { Deps } from '../ports.ts'
import { parkedSince, type StandingRow, standingOf, unpark, unparkVisible } from './parked.sql.ts'
import type { ProjectDeps } from './project.ts'
import { showNow } from './wait.ts'

/** What the graph refused in every attempt is parked: nobody tries again unless asked, or once a day. */
export const Parked = z
  .object({
    id: z.string().meta({ description: 'Of the memory, entity or session.' }),
    kind: z.enum(['memory', 'entity', 'session']),
    failure: z.string().nullable().meta({ description: 'What the graph said to the last attempt.' }),
    since: z.string(),
  })
  .meta({ id: 'Parked' })

export const Retried = z.object({
  id: z.string(),
  kind: z.enum(['memory', 'entity', 'session']),
  state: z.enum(['shown', 'owed', 'parked']).meta({
    description: 'shown: the graph has it. owed: the graph could not be reached, and gets it later. parked: the graph refused it again.',
  }),
  failure: z.string().nullable(),
  since: z.string().nullable().meta({ description: 'When the graph refused it again.' }),
})
export type Retried = z.infer<typeof Retried>

/** Offers a parked thing to the graph once more, now. Refuses `not_found` for what is not parked, or not the caller's to see. */
export async function retryParked(deps: Deps, caller: Caller, id: string): Promise<Retried> {
  if (!deps.settings.graphEnabled) throw new Refusal('unavailable', 'The graph is switched off in this deployment.')
  const { authorized, rows } = await deps.db.asCaller(caller, null, [unparkVisible([id])], { write: true })
  if (rows[0].length === 0) throw new Refusal('not_found', 'Nothing of this id is parked.')
  await showNow(deps, authorized.tenant, [id])
  const [[row]] = await deps.db.asTenant(authorized.tenant, [standingOf(id)])
  const { kind, shown, failure, parked_at } = row as StandingRow
  return { id, kind, state: shown ? 'shown' : parked_at === null ? 'owed' : 'parked', failure, since: parked_at }
}

/** Offers what has been parked since `before` to the graph once more, at most `most`. Answers how many were offered. */
export async function retryOld(deps: ProjectDeps, tenant: string, before: Date, most: number): Promise<number> {
  const [rows] = await deps.db.asTenant(tenant, [parkedSince(before.toISOString(), most)])
  const ids = rows.map((row) => row.id)
  await deps.db.asTenant(tenant, [unpark(ids)])
  await showNow(deps, tenant, ids)
  return ids.length
}
