import { type Statement, sql } from '../sql.ts'
import type { SyncInput } from './answer.ts'
import type { Finding } from './finding.ts'

/** What schedules begin, and what a caller may ask for. */
export type Operation = SyncInput['operation'] | 'incremental' | 'nightly'
export type Ending = 'success' | 'partial' | 'failed' | 'stopped'

/** A finding as a run keeps it: what is wrong, not what the things hold. */
export type Listed = Pick<Finding, 'kind' | 'store' | 'id' | 'what' | 'remedy'>

export interface RunRow {
  id: string
  operation: Operation
  options: Omit<SyncInput, 'operation'>
  /** Where it looks. */
  prefixes: string[]
  /** The id of the key that asked for it; null: a schedule did. */
  asked_by: string | null
  /** The phase it is in and where in it to go on. */
  phase: string | null
  cursor: string
  phase_since: string
  /** Things of this phase. */
  done: number
  total: number
  checked: number
  found: number
  repaired: number
  failed: number
  owed: number
  listed: Listed[]
  /** The generation it fills. */
  generation: number | null
  started_at: string
  ended_at: string | null
  failures: number
  failure: string | null
  stop_asked: boolean
  outcome: Ending | null
}

const COLUMNS = sql`r.id, r.operation, r.options, r.prefixes, r.asked_by, r.phase, coalesce(r.cursor, '') as cursor, iso(coalesce(r.phase_since, r.started_at)) as phase_since,
  r.done, r.total, r.checked, r.found, r.repaired, r.failed, r.owed, r.listed, r.generation, iso(r.started_at) as started_at, iso(r.ended_at) as ended_at,
  r.failures, r.failure, r.stop_asked, r.outcome`

const byId = (id: string): Statement => sql`r.tenant_id = current_tenant() and r.id = ${id}::uuid`

export interface NewRun extends Pick<RunRow, 'id' | 'operation' | 'options' | 'prefixes' | 'asked_by'> {
  /** Not beside another such run. */
  exclusive: boolean
}

/**
 * Begins a run, once; an exclusive one only while there is no other, which `excludes` then tells. With a lease it is for a
 * minute nobody else's to go on with.
 */
export const beginRun = (run: NewRun, lease: string | null, now: string): Statement => sql`
  insert into sync_runs (tenant_id, id, operation, options, prefixes, asked_by, exclusive, started_at, lease, leased_until)
  values (current_tenant(), ${run.id}::uuid, ${run.operation}, ${JSON.stringify(run.options)}::jsonb, ${run.prefixes}::text[], ${run.asked_by},
    ${run.exclusive}, ${now}::timestamptz, ${lease}::uuid, case when ${lease}::uuid is not null then ${now}::timestamptz + interval '1 minute' end)
  on conflict do nothing`

/** The run that keeps another exclusive one from beginning. */
export const excludes: Statement<{ id: string }> = sql<{ id: string }>`
  select r.id from sync_runs r where r.tenant_id = current_tenant() and r.exclusive and r.ended_at is null`

export interface RunTerms {
  lease: string
  now: string
  until: string
}

/** Takes a run that is under way and that nobody is at. */
export const takeRun = (id: string, { lease, now, until }: RunTerms): Statement<RunRow> => sql<RunRow>`
  update sync_runs r set lease = ${lease}::uuid, leased_until = ${until}::timestamptz
  where ${byId(id)} and r.ended_at is null and (r.leased_until is null or r.leased_until <= ${now}::timestamptz or r.lease = ${lease}::uuid or r.stop_asked and r.lease is null)
  returning ${COLUMNS}`

/** Runs of the tenant that are under way and that nobody is at, longest waiting first. */
export const waitingRuns = (now: string): Statement<{ id: string }> => sql<{ id: string }>`
  select r.id from sync_runs r
  where r.tenant_id = current_tenant() and r.ended_at is null and (r.leased_until is null or r.leased_until <= ${now}::timestamptz)
  order by r.started_at`

/** Notes how far a run has come, while it is still ours; no row: it is not. */
export const noteStep = (run: RunRow, { lease, until }: Pick<RunTerms, 'lease' | 'until'>): Statement<{ stop_asked: boolean }> => sql<{
  stop_asked: boolean
}>`
  update sync_runs r set phase = ${run.phase}, cursor = ${run.cursor}, phase_since = ${run.phase_since}::timestamptz, done = ${run.done}::int,
    total = ${run.total}::int, checked = ${run.checked}::int, found = ${run.found}::int, repaired = ${run.repaired}::int, failed = ${run.failed}::int,
    owed = ${run.owed}::int, listed = ${JSON.stringify(run.listed)}::jsonb, leased_until = ${until}::timestamptz, failures = 0, failure = null
  where ${byId(run.id)} and r.lease = ${lease}::uuid and r.ended_at is null
  returning r.stop_asked`

/** Leaves a run to whoever comes after `until`. */
export const leaveRun = (id: string, { lease, until }: Pick<RunTerms, 'lease' | 'until'>, failure: string | null): Statement => sql`
  update sync_runs r set lease = null, leased_until = ${until}::timestamptz, failure = ${failure}, failures = r.failures + ${failure === null ? 0 : 1}::int
  where ${byId(id)} and r.lease = ${lease}::uuid`

/** Ends a run that is ours; a generation that it did not bring to its end is given up. */
export const endRun = (
  id: string,
  { lease, now }: Pick<RunTerms, 'lease' | 'now'>,
  outcome: Ending,
  failure: string | null,
): Statement[] => [
  sql`select abandon_generation(r.generation, ${now}::timestamptz) from sync_runs r
    where ${byId(id)} and r.lease = ${lease}::uuid and r.ended_at is null and r.generation is not null`,
  sql`update sync_runs r set ended_at = ${now}::timestamptz, outcome = ${outcome}, failure = ${failure}, lease = null, leased_until = null
    where ${byId(id)} and r.lease = ${lease}::uuid and r.ended_at is null`,
]

export const readRun = (id: string): Statement<RunRow> => sql<RunRow>`select ${COLUMNS} from sync_runs r where ${byId(id)}`

export const askToStop = (id: string): Statement<{ id: string }> => sql<{ id: string }>`
  update sync_runs r set stop_asked = true where ${byId(id)} and r.ended_at is null returning r.id`

export const lastRun: Statement<{ at: string }> = sql<{ at: string }>`
  select iso(r.started_at) as at from sync_runs r where r.tenant_id = current_tenant() order by r.started_at desc limit 1`

/** The generation that this run fills, made when it has none; null while another one fills. */
export const beginGeneration = (run: string, now: string): Statement<{ generation: number | null }> =>
  sql<{ generation: number | null }>`select begin_generation(${run}::uuid, ${now}::timestamptz) as generation`

export const switchGeneration = (generation: number, now: string): Statement =>
  sql`select switch_generation(${generation}::int, ${now}::timestamptz)`

/** `retired`: nobody reads it any more. `dropped`: its nodes went, but a writer that stood still may not know. */
export type Unread = 'retired' | 'dropped'

/** Generations that nobody has read since then. */
export const unreadGenerations = (state: Unread, before: string): Statement<{ generation: number }> => sql<{ generation: number }>`
  select g.generation from graph_generations g
  where g.tenant_id = current_tenant() and g.state = ${state} and g.since <= ${before}::timestamptz order by g.generation`

const unread = (state: Unread, generation: number) =>
  sql`g.tenant_id = current_tenant() and g.generation = ${generation}::int and g.state = ${state}`

export const noteDropped = (generation: number): Statement =>
  sql`update graph_generations g set state = 'dropped' where ${unread('retired', generation)}`

export const forgetGeneration = (generation: number): Statement =>
  sql`delete from graph_generations g where ${unread('dropped', generation)}`
