import type { Caller } from '@twofold/operation/caller.ts'
import { invalid, Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import { afterWriting, PersistenceError, Replay } from '../failures.ts'
import { claim } from '../idempotency.ts'
import type { Written } from '../memories/remember.ts'
import { exactly, Namespace } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { consolidatePart, NO_MODEL } from './consolidate.ts'
import { STRATEGIES, type Strategy } from './find.ts'

export const ScheduleInput = z.strictObject({
  namespace: Namespace,
  strategy: z.enum([...STRATEGIES, 'none']).meta({ description: 'none: not any more.' }),
  everyHours: z.int().min(1).max(8760).default(24),
})
export type ScheduleInput = z.infer<typeof ScheduleInput>

export const Schedule = z
  .object({
    namespace: z.string(),
    strategy: z.enum([...STRATEGIES, 'none']),
    everyHours: z.number().nullable(),
    nextAt: z.string().nullable(),
    updatedBy: z.string().nullable(),
    updatedAt: z.string().nullable(),
  })
  .meta({ id: 'ConsolidationSchedule' })
export type Schedule = z.infer<typeof Schedule>

const select = (namespace: string): Statement<Schedule> => sql<Schedule>`
  select ${namespace}::text as namespace, coalesce(c.strategy, 'none') as strategy, c.every_hours as "everyHours", iso(c.due_at) as "nextAt",
    c.updated_by as "updatedBy", iso(c.updated_at) as "updatedAt"
  from (select) one left join consolidations c on c.tenant_id = current_tenant() and c.namespace = ${namespace}`

/** How a namespace is consolidated by itself. Refuses `forbidden` for one outside the grant. */
export async function readSchedule(deps: Deps, caller: Caller, namespace: string): Promise<Schedule> {
  const { rows } = await deps.db.asCaller(caller, exactly(namespace), [select(namespace)])
  return rows[0][0] as Schedule
}

/**
 * Has a namespace consolidated every so many hours, for the first time at once, or not any more. A replay shows how it is
 * now. Refuses `forbidden`, and `invalid` for the strategy `model` where there is no model.
 */
export async function putSchedule(
  deps: Deps,
  caller: Caller,
  { namespace, strategy, everyHours }: ScheduleInput,
): Promise<Written<Schedule>> {
  if (strategy === 'model' && deps.language === null) throw invalid([{ path: 'strategy', message: NO_MODEL }])
  const now = deps.now().toISOString()
  const change =
    strategy === 'none'
      ? sql`delete from consolidations where tenant_id = current_tenant() and namespace = ${namespace}`
      : sql`insert into consolidations (tenant_id, namespace, strategy, every_hours, due_at, updated_by, updated_at)
          values (current_tenant(), ${namespace}, ${strategy}, ${everyHours}::int, ${now}::timestamptz, current_actor(), ${now}::timestamptz)
          on conflict (tenant_id, namespace) do update set strategy = excluded.strategy, every_hours = excluded.every_hours, due_at = excluded.due_at,
            after_id = null, updated_by = excluded.updated_by, updated_at = excluded.updated_at`
  const list: Statement[] = [
    ...claim(caller, [], now),
    change,
    sql`select audit('namespaces.put_consolidation', array[null::uuid], array[${namespace}::text], array[null::int], ${now}::timestamptz)`,
    select(namespace),
  ]
  try {
    const { rows } = await deps.db.asCaller(caller, exactly(namespace), list, { write: true, repeatable: caller.idempotency !== null })
    return { answer: (rows.at(-1) as Schedule[])[0] as Schedule, replayed: false }
  } catch (error) {
    if (!(error instanceof Replay)) throw error
    return { answer: await afterWriting(readSchedule(deps, caller, namespace)), replayed: true }
  }
}

interface Due {
  namespace: string
  strategy: Strategy
  after: string | null
}

/** One that could not be done is tried again after that. */
const RETRY_HOURS = 1

/** Does the next part of the namespaces that are due, of at most `most`. Answers whether there may be more to do at once. */
export async function consolidateDue(deps: Deps, tenant: string, most: number, signal: AbortSignal): Promise<boolean> {
  const now = deps.now().toISOString()
  const [due] = await deps.db.asTenant(tenant, [
    sql<Due>`select c.namespace, c.strategy, c.after_id as after from consolidations c
      where c.tenant_id = current_tenant() and c.due_at <= ${now}::timestamptz order by c.due_at, c.namespace limit ${most}::int`,
  ])
  let more = due.length === most
  for (const { namespace, strategy, after } of due) {
    if (signal.aborted) return false
    let next: string | null = null
    let hours: number | null = null
    try {
      next = await consolidatePart(deps, tenant, strategy, { namespace, after }, { signal, guard: stillDue(namespace, after, now) })
    } catch (error) {
      if (!(error instanceof PersistenceError || error instanceof Refusal)) throw error
      deps.log.warn('consolidation.put_off', { tenant, strategy, reason: error.name })
      ;[next, hours] = [after, RETRY_HOURS]
    }
    await deps.db.asTenant(tenant, [goOn(namespace, { after, next, hours }, now)])
    more ||= next !== null && hours === null
  }
  return more
}

const isDue = (namespace: string, after: string | null, now: string): Statement => sql`
  c.tenant_id = current_tenant() and c.namespace = ${namespace} and c.after_id is not distinct from ${after}::uuid and c.due_at <= ${now}::timestamptz`

/** Whoever stood still until somebody else had done it merges nothing: what was merged may have been restored by then. */
const stillDue = (namespace: string, after: string | null, now: string): Statement => sql`
  select refuse('conflict', 'Somebody else has consolidated the namespace.') where not exists (select from consolidations c where ${isDue(namespace, after, now)})`

/** Where it goes on, and when; unless somebody has set it anew meanwhile. */
const goOn = (
  namespace: string,
  { after, next, hours }: { after: string | null; next: string | null; hours: number | null },
  now: string,
): Statement => sql`
  update consolidations c set after_id = ${next}::uuid,
    due_at = case when ${hours}::int is not null then ${now}::timestamptz + ${hours}::int * interval '1 hour'
      when ${next}::uuid is not null then c.due_at else ${now}::timestamptz + c.every_hours * interval '1 hour' end
  where ${isDue(namespace, after, now)}`
