import { type Statement, sql } from '../sql.ts'
import type { Difference } from './difference.ts'
import { touches } from './scope.sql.ts'
import type { Scope } from './scope.ts'

const named = ({ kind, id, what }: Pick<Difference, 'kind' | 'id' | 'what'>) => ({ kind, thing: id ?? '', what })

interface Noting {
  now: string
  id: () => string
}

/**
 * Notes what a step of a check found. What was open there and is not found again has gone; only a deep check can say
 * that of what only a deep one sees, and none of a part of a subject, since it does not see the rest.
 */
export function noteDrift(
  run: string,
  { from, next, differences }: { from: number; next: number; differences: readonly Difference[] },
  { scope, deep, ...noting }: Noting & { scope: Scope; deep: boolean },
): Statement[] {
  const there = sql`d.bucket >= ${from === 0 ? -1 : from}::int and d.bucket < ${next}::int
    and ${touches(sql`d.subject`, scope)} and (${deep}::boolean or not d.deep)`
  return noteFound(run, differences, scope.narrow ? null : there, noting)
}

/** Notes what was found of these things, looked at one by one. */
export const noteDriftOf = (run: string, differences: readonly Difference[], ids: readonly string[], noting: Noting): Statement[] =>
  noteFound(run, differences, sql`d.thing = any(${ids}::text[])`, noting)

/** What was open where somebody looked and is not found again has gone; what was parked only once the graph takes it. */
function noteFound(run: string, differences: readonly Difference[], looked: Statement | null, { now, id }: Noting): Statement[] {
  const rows = new Map(differences.map((one) => [JSON.stringify(named(one)), { ...one, ...named(one), id: id() }]))
  const found = sql`jsonb_to_recordset(${JSON.stringify(
    [...rows.values()].map(({ id, kind, thing, what, subject, bucket, deep }) => ({ id, kind, thing, what, subject, bucket, deep })),
  )}::jsonb) as f (id uuid, kind text, thing text, what text, subject text, bucket int, deep boolean)`
  const gone = sql`
    update drift d set repaired_at = ${now}::timestamptz
    where d.tenant_id = current_tenant() and d.repaired_at is null and not d.parked and ${looked ?? sql`false`}
      and not exists (select from ${found} where f.kind = d.kind and f.thing = d.thing and f.what = d.what)`
  const open = sql`
    insert into drift as d (tenant_id, id, run_id, kind, thing, what, subject, bucket, deep, found_at)
    select current_tenant(), f.id, ${run}::uuid, f.kind, f.thing, f.what, f.subject, f.bucket, f.deep, ${now}::timestamptz from ${found}
    order by f.kind, f.thing, f.what
    on conflict (tenant_id, kind, thing, what) where repaired_at is null do update set run_id = excluded.run_id`
  return looked === null ? [open] : [gone, open]
}

export const noteRepaired = (repaired: readonly Difference[], now: string): Statement => sql`
  update drift d set repaired_at = ${now}::timestamptz
  from jsonb_to_recordset(${JSON.stringify(repaired.map(named))}::jsonb) as f (kind text, thing text, what text)
  where d.tenant_id = current_tenant() and d.repaired_at is null and d.kind = f.kind and d.thing = f.thing and d.what = f.what`

export interface DriftCounts {
  open: number
  repaired: number
}

export const countDrift: Statement<DriftCounts> = sql<DriftCounts>`
  select count(*) filter (where repaired_at is null)::int as open, count(repaired_at)::int as repaired from drift where tenant_id = current_tenant()`
