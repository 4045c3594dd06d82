import { type Statement, sql } from '../sql.ts'

/** Since when the graph owes these subjects something; null when it is up to date. */
export const oldestOwed = (subjects: readonly string[]): Statement<{ since: string | null }> => sql<{ since: string | null }>`
  select iso(min(o.since)) as since
  from unnest(${subjects}::text[]) s (subject)
  cross join lateral (
    select l.owed_since as since from ledger l
    where l.tenant_id = current_tenant() and l.subject = s.subject and l.revision <> l.shown
    order by l.owed_since limit 1) o`

/** How far the graph lags, in milliseconds, by what `oldestOwed` answered. */
export const lagMs = (rows: readonly { since: string | null }[], now: Date): number =>
  rows[0]?.since ? Math.max(0, now.getTime() - Date.parse(rows[0].since)) : 0

export interface GraphStanding {
  /** Ledger rows the graph does not show yet, parked ones among them. */
  owed: number
  /** Since when the longest waiting one is owed. */
  oldest_owed: string | null
  /** Rows that used up their attempts. */
  parked: number
}

/** How the tenant stands with the graph, for the status. */
export const graphStanding: Statement<GraphStanding> = sql<GraphStanding>`
  select count(*) filter (where l.revision <> l.shown)::int as owed,
    iso(min(l.owed_since) filter (where l.revision <> l.shown)) as oldest_owed,
    count(*) filter (where l.parked_at is not null)::int as parked
  from ledger l where l.tenant_id = current_tenant()`
