import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import { afterWriting, Replay } from '../failures.ts'
import { claim } from '../idempotency.ts'
import type { Written } from '../memories/remember.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { changed, restamp } from './apply-policies.ts'
import { below } from './namespace.ts'
import { BEGINNING } from './walk.sql.ts'

const days = (most: number) => z.int().min(1).max(most)

export const PolicyInput = z.strictObject({
  keepVersions: days(1_000_000).nullish().meta({ description: 'Keep this many of the last versions, the current one among them.' }),
  dailyVersionsAfterDays: days(3650).nullish().meta({ description: 'Of versions older than this, keep the last of each day (UTC).' }),
  episodicDays: days(36_500)
    .nullable()
    .default(90)
    .meta({ description: 'How long episodic memories of an importance below 8 live after their last change; null: for ever.' }),
  tempHours: z.int().min(1).max(8760).default(24).meta({ description: 'How long what lies in temp: lives after its last change.' }),
})
export type PolicyInput = z.infer<typeof PolicyInput>

export const Policy = z
  .object({
    namespace: z.string(),
    keepVersions: z.number().nullable(),
    dailyVersionsAfterDays: z.number().nullable(),
    episodicDays: z.number().nullable(),
    tempHours: z.number(),
    from: z.string().nullable().meta({ description: 'Whose policy it is: of this namespace, or the nearest above it; null: of none.' }),
    updatedBy: z.string().nullable(),
    updatedAt: z.string().nullable(),
  })
  .meta({ id: 'Policy' })
export type Policy = z.infer<typeof Policy>

const selectPolicy = (namespace: string): Statement<Policy> => sql<Policy>`
  select ${namespace}::text as namespace, p.keep_versions as "keepVersions", p.daily_versions_after_days as "dailyVersionsAfterDays",
    p.episodic_days as "episodicDays", p.temp_hours as "tempHours", p.namespace as "from", p.updated_by as "updatedBy", iso(p.updated_at) as "updatedAt"
  from policy_of(current_tenant(), ${namespace}) p`

/** The policy that applies to a namespace. Refuses `forbidden` for one outside the grant. */
export async function readPolicy(deps: Deps, caller: Caller, namespace: string): Promise<{ policy: Policy }> {
  const { rows } = await deps.db.asCaller(caller, below(namespace), [selectPolicy(namespace)])
  return { policy: rows[0][0] as Policy }
}

/** Memories that a change of policy reaches in the request itself; the others follow in steps. */
const MOST_AT_ONCE = 1000

/**
 * Sets the policy of a namespace and of all below it that have none of their own, as a whole. The ends of memories that are
 * there move with it; what has ended already stays so. A replay shows the policy as it is now. Refuses `forbidden`.
 */
export function putPolicy(deps: Deps, caller: Caller, namespace: string, input: PolicyInput): Promise<Written<{ policy: Policy }>> {
  const now = deps.now().toISOString()
  const keep = input.keepVersions ?? null
  const daily = input.dailyVersionsAfterDays ?? null
  const squashAt = keep === null && daily === null ? null : now
  return change(deps, caller, namespace, 'namespaces.put_policy', now, [
    sql`insert into namespace_policies (tenant_id, namespace, keep_versions, daily_versions_after_days, episodic_days, temp_hours, updated_by, updated_at,
          squash_after_namespace, squash_after_id, squash_at)
        values (current_tenant(), ${namespace}, ${keep}::int, ${daily}::int, ${input.episodicDays}::int, ${input.tempHours}::int, current_actor(),
          ${now}::timestamptz, ${BEGINNING.namespace}, ${BEGINNING.id}::uuid, ${squashAt}::timestamptz)
        on conflict (tenant_id, namespace) do update set keep_versions = excluded.keep_versions, daily_versions_after_days = excluded.daily_versions_after_days,
          episodic_days = excluded.episodic_days, temp_hours = excluded.temp_hours, updated_by = excluded.updated_by, updated_at = excluded.updated_at,
          squash_after_namespace = excluded.squash_after_namespace, squash_after_id = excluded.squash_after_id, squash_at = excluded.squash_at`,
  ])
}

/** Takes the policy of a namespace away; what is above it applies then. Refuses `not_found` where there is none, `forbidden`. */
export function deletePolicy(deps: Deps, caller: Caller, namespace: string): Promise<Written<{ policy: Policy }>> {
  return change(deps, caller, namespace, 'namespaces.delete_policy', deps.now().toISOString(), [
    sql`with gone as (delete from namespace_policies where tenant_id = current_tenant() and namespace = ${namespace} returning 1)
        select refuse('not_found', 'This namespace has no policy of its own.') where not exists (select from gone)`,
  ])
}

async function change(
  deps: Deps,
  caller: Caller,
  namespace: string,
  action: string,
  now: string,
  writes: readonly Statement[],
): Promise<Written<{ policy: Policy }>> {
  const ranges = below(namespace)
  const statements: Statement[] = [
    ...claim(caller, [], now),
    ...writes,
    changed(namespace, now),
    restamp(namespace, BEGINNING, MOST_AT_ONCE, now),
    sql`select audit(${action}, array[null::uuid], array[${namespace}::text], array[null::int], ${now}::timestamptz)`,
    selectPolicy(namespace),
  ]
  try {
    const { rows } = await deps.db.asCaller(caller, ranges, statements, { write: true, repeatable: caller.idempotency !== null })
    return { answer: { policy: (rows.at(-1) as Policy[])[0] as Policy }, replayed: false }
  } catch (error) {
    if (!(error instanceof Replay)) throw error
    return { answer: await afterWriting(readPolicy(deps, caller, namespace)), replayed: true }
  }
}
