import { within } from '../namespaces/inside.sql.ts'
import { type Statement, sql } from '../sql.ts'
import type { Difference } from './finding.ts'
import type { Scope } from './scope.ts'

const named = ({ kind, id, what }: Pick<Difference, 'kind' | 'id' | 'what'>) => ({ kind, thing: id ?? '', what })

/**
 * Notes what a step of a check found. What was open there and is not found again has gone; only a deep check can say
 * that of what only a deep one sees, and none of a part of a subject, since it does not see the rest.
 */
export function noteDrift(
  run: string,
  { from, next, differences }: { from: number; next: number; differences: readonly Difference[] },
  { scope, deep, now, id }: { scope: Scope; deep: boolean; now: string; id: () => string },
): Statement[] {
  const rows = new Map(differences.map((one) => [JSON.stringify(named(one)), { ...one, ...named(one), id: id() }]))
  const found = sql`jsonb_to_recordset(${JSON.stringify(
    [...rows.values()].map(({ id, kind, thing, what, subject, bucket, deep }) => ({ id, kind, thing, what, subject, bucket, deep })),
  )}::jsonb) as f (id uuid, kind text, thing text, what text, subject text, bucket int, deep boolean)`
  const gone = sql`
    update drift d set repaired_at = ${now}::timestamptz
    where d.tenant_id = current_tenant() and d.repaired_at is null and d.bucket >= ${from === 0 ? -1 : from}::int and d.bucket < ${next}::int
      and ${scope.subjects === null ? sql`true` : within(sql`d.subject`, scope.subjects)} and (${deep}::boolean or not d.deep)
      and not exists (select from ${found} where f.kind = d.kind and f.thing = d.thing and f.what = d.what)`
  const open = sql`
    insert into drift as d (tenant_id, id, run_id, kind, thing, what, subject, bucket, deep, found_at)
    select current_tenant(), f.id, ${run}::uuid, f.kind, f.thing, f.what, f.subject, f.bucket, f.deep, ${now}::timestamptz from ${found}
    order by f.kind, f.thing, f.what
    on conflict (tenant_id, kind, thing, what) where repaired_at is null do update set run_id = excluded.run_id`
  return scope.narrow ? [open] : [gone, open]
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

export const startRun = (id: string, operation: string, options: object, now: string): Statement => sql`
  insert into sync_runs (tenant_id, id, operation, options, phase, cursor, started_at)
  values (current_tenant(), ${id}::uuid, ${operation}, ${JSON.stringify(options)}::jsonb, 'check', 0, ${now}::timestamptz)
  on conflict do nothing`

export interface Progress {
  phase: string | null
  cursor: number | null
  checked: number
  found: number
  repaired: number
  failed: number
  /** Null while there is more to do. */
  endedAt: string | null
}

export const noteRun = (id: string, { phase, cursor, checked, found, repaired, failed, endedAt }: Progress): Statement => sql`
  update sync_runs set phase = ${phase}, cursor = ${cursor}::int, checked = ${checked}::int, found = ${found}::int, repaired = ${repaired}::int,
    failed = ${failed}::int, ended_at = ${endedAt}::timestamptz
  where tenant_id = current_tenant() and id = ${id}::uuid`

export const lastRun: Statement<{ at: string }> = sql<{ at: string }>`
  select iso(r.started_at) as at from sync_runs r where r.tenant_id = current_tenant() order by r.started_at desc limit 1`
