import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { agreementOf, inPostgres, LATE_MS, share } from './agreement.ts'

/** Whoever agrees by less is to be alarmed about. */
const ALARM_PERCENT = 90
/** Tenants counted at once. */
const AT_ONCE = 4

export interface Measured {
  tenants: number
  /** How far the stores agree where they agree least; null when it could be said of nobody. */
  lowest: number | null
  below90: number
  /** Tenants of which it could not be said: the graph was out of reach, or there was no time. */
  unknown: number
  owed: number
  oldestOwedMs: number
  parked: number
  drift: number
  /** Of the database, with its indexes. */
  bytes: number
}

/**
 * Measures how all tenants stand, counted in the stores, and sets the gauges that alarms look at. What time does not
 * suffice for is counted as unknown; another round begins with others.
 */
export async function measure(deps: Deps, { until, signal }: { until: Date; signal: AbortSignal }): Promise<Measured> {
  const [[standing], [size], tenants] = await deps.db.across([
    sql<{ owed: number; oldest: string | null; parked: number; drift: number }>`
      select owed, iso(oldest_owed) as oldest, parked, drift from graph_standing_of_all()`,
    sql<{ bytes: number }>`select pg_database_size(current_database())::float8 as bytes`,
    sql<{ tenant: string }>`select tenant from tenants_shuffled(${deps.id()})`,
  ])
  const now = deps.now()
  const known: number[] = []
  for (let i = 0; i < tenants.length && deps.now() < until && !signal.aborted; i += AT_ONCE) {
    const agreements = await Promise.all(tenants.slice(i, i + AT_ONCE).map(({ tenant }) => agreementIn(deps, tenant)))
    for (const each of agreements) if (each !== null) known.push(each)
  }
  const { owed = 0, oldest = null, parked = 0, drift = 0 } = deps.settings.graphEnabled ? (standing ?? {}) : {}
  const measured: Measured = {
    tenants: tenants.length,
    lowest: known.length === 0 ? null : known.reduce((least, each) => Math.min(least, each)),
    below90: known.filter((each) => each < ALARM_PERCENT).length,
    unknown: tenants.length - known.length,
    bytes: size?.bytes ?? 0,
    ...{ owed, parked, drift, oldestOwedMs: oldest === null ? 0 : Math.max(0, now.getTime() - Date.parse(oldest)) },
  }
  publish(deps, measured, now)
  return measured
}

/** Memories that the graph, or a model, has been owing for less than a minute. */
const onTheirWay = (since: string): Statement<{ graph: number; vectors: number }> => sql<{ graph: number; vectors: number }>`
  select
    (select count(*) from ledger l where l.tenant_id = current_tenant() and l.revision <> l.shown and l.parked_at is null
      and l.owed_since > ${since}::timestamptz and l.kind = 'memory' and l.digest_high is null)::int as graph,
    (select count(*) from memories m where m.tenant_id = current_tenant() and (m.owes_embedding or m.owes_entities) and m.deleted_at is null
      and m.owes_embedding and m.updated_at > ${since}::timestamptz)::int as vectors`

/** What is on its way does not count against it. One tenant's trouble is not another's: whoever cannot be counted is unknown. */
async function agreementIn(deps: Deps, tenant: string): Promise<number | null> {
  const since = new Date(deps.now().getTime() - LATE_MS).toISOString()
  try {
    const [[coming], ...counted] = await deps.db.asTenant(tenant, [onTheirWay(since), ...inPostgres(deps)])
    const { memories, vectorStoreCount, graphStoreCount } = await agreementOf(deps, tenant, counted)
    if (graphStoreCount === null) return null
    const vectors = vectorStoreCount + (coming?.vectors ?? 0)
    return share(deps.settings.graphEnabled ? Math.min(vectors, graphStoreCount + (coming?.graph ?? 0)) : vectors, memories)
  } catch (error) {
    deps.log.warn('measure.failed', { error })
    return null
  }
}

function publish({ gauge, log }: Deps, measured: Measured, now: Date): void {
  gauge('twofold_agreement_min_percent', measured.lowest)
  gauge('twofold_agreement_below_90', measured.below90)
  gauge('twofold_agreement_unknown', measured.unknown)
  gauge('twofold_owed', measured.owed)
  gauge('twofold_oldest_owed_ms', measured.oldestOwedMs)
  gauge('twofold_parked', measured.parked)
  gauge('twofold_drift_open', measured.drift)
  gauge('twofold_database_bytes', measured.bytes)
  gauge('twofold_measured_at_seconds', now.getTime() / 1000)
  log.info('agreement.measured', { ...measured })
  if (measured.below90 > 0) log.error('agreement.below_90', { tenants: measured.below90, lowest: measured.lowest })
}
