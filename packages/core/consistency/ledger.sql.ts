import { type Truth, truthOf } from '../graph/lease.sql.ts'
import { namespaceOf } from '../graph/parked.sql.ts'
import type { BucketSum, NodeKind } from '../graph/port.ts'
import { within } from '../namespaces/inside.sql.ts'
import { type Statement, sql } from '../sql.ts'
import { touches } from './scope.sql.ts'
import type { Scope } from './scope.ts'

const LEDGERS = sql`l.subject`

export interface LedgerSum extends Omit<BucketSum, 'odd'> {
  /** Memories that the graph shows or should show, in the scope. */
  memories: number
  owed: number
}

/**
 * What the graph is known to show, added up: also of rows that are owed, as it was last shown. A bucket in which
 * something is on its way may so differ for a moment, which only costs a closer look.
 */
export const ledgerSums = (scope: Scope): Statement<LedgerSum> => sql<LedgerSum>`
  select l.bucket::int as bucket, count(l.digest_high)::int as nodes, coalesce(sum(l.digest_high), 0)::float8 as high,
    coalesce(sum(l.digest_low), 0)::float8 as low, coalesce(sum(l.shown) filter (where l.digest_high is not null), 0)::float8 as revisions,
    coalesce(sum(l.degree), 0)::int as edges,
    count(*) filter (where l.kind = 'memory' and (l.digest_high is not null or l.revision <> l.shown) ${
      scope.narrow
        ? sql`and exists (select from memories m where m.tenant_id = l.tenant_id and m.id = l.id and ${within(sql`m.namespace`, scope.ranges)})`
        : sql``
    })::int as memories,
    count(*) filter (where l.revision <> l.shown and l.parked_at is null)::int as owed
  from ledger l where l.tenant_id = current_tenant() and ${touches(LEDGERS, scope)} group by l.bucket`

/** What the graph is known to show of one thing; no digest: nothing. */
export interface Known {
  id: string
  bucket: number
  shown: number
  settled: boolean
  high: number | null
  low: number | null
  degree: number | null
}

export const ledgerOf = (buckets: readonly number[], scope: Scope): Statement<Known> => sql<Known>`
  select l.id, l.bucket::int as bucket, l.shown, l.revision = l.shown as settled, l.digest_high as high, l.digest_low as low, l.degree
  from ledger l where l.tenant_id = current_tenant() and l.bucket = any(${buckets}::smallint[]) and ${touches(LEDGERS, scope)}`

export interface ParkedThing {
  id: string
  kind: NodeKind
  subject: string
  namespace: string | null
  bucket: number
  revision: number
  shown: number
  /** The graph is not known to show anything of it. */
  nothing: boolean
}

/** What the graph refused in every attempt, in this bucket and those after it. */
export const parkedFrom = (bucket: number, scope: Scope): Statement<ParkedThing> => sql<ParkedThing>`
  select l.id, l.kind, l.subject, ${namespaceOf} as namespace, l.bucket::int as bucket, l.revision, l.shown, l.digest_high is null as nothing
  from ledger l where l.tenant_id = current_tenant() and l.parked_at is not null and l.bucket >= ${bucket}::int and ${touches(LEDGERS, scope)} order by l.bucket, l.id`

/** A ledger row with its truth of the same moment. */
export interface Judged extends Truth {
  shown: number
  /** Changes whenever somebody settles it. */
  shown_at: string | null
  high: number | null
  low: number | null
  degree: number | null
  /** Its time has come, which the sweep has yet to note. */
  expired: boolean
}

const judged = (condition: Statement, now: string): Statement<Judged> => sql<Judged>`
  select l.id, l.kind, l.subject, l.bucket::int as bucket, l.revision, l.shown, l.shown_at::text as shown_at, l.digest_high as high, l.digest_low as low, l.degree,
    exists (select from memories m where m.tenant_id = l.tenant_id and m.id = l.id and m.deleted_at is null and m.ends_at <= ${now}::timestamptz) as expired,
    ${truthOf(sql`true`, now)}
  from ledger l where l.tenant_id = current_tenant() and ${condition}`

export const truthOfThese = (ids: readonly string[], now: string): Statement<Judged> => judged(sql`l.id = any(${ids}::uuid[])`, now)

/** Of what is settled in these buckets. */
export const truthOfBuckets = (buckets: readonly number[], scope: Scope, now: string): Statement<Judged> =>
  judged(sql`l.bucket = any(${buckets}::smallint[]) and l.revision = l.shown and ${touches(LEDGERS, scope)}`, now)

export interface Unknown {
  id: string
  kind: NodeKind
  subject: string
  namespace: string | null
  bucket: number
}

/** Things that nobody owed to the graph: they came in behind the ledger's back. */
export const unknownToLedger = (scope: Scope, most: number): Statement<Unknown> => sql<Unknown>`
  select l.id, l.kind, l.subject, l.namespace, bucket_of(l.id)::int as bucket from (
    select m.id, 'memory' as kind, m.subject, m.namespace from memories m
    where m.tenant_id = current_tenant() and m.deleted_at is null and m.pending_until is null
    union all select e.id, 'entity', e.subject, null from entities e where e.tenant_id = current_tenant()
    union all select s.id, 'session', s.subject, s.namespace from sessions s where s.tenant_id = current_tenant()) l
  where ${touches(LEDGERS, scope)} and not exists (select from ledger k where k.tenant_id = current_tenant() and k.id = l.id)
  order by l.id limit ${most}::int`

/** Owes these again, each only while it still is as it was judged. Answers those that it took. */
export const oweAgain = (rows: readonly { id: string; revision: number }[], now: string): Statement<{ id: string }> => sql<{ id: string }>`
  with w as (select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as w (id uuid, revision int)),
  mine as materialized (
    select l.id from ledger l join w using (id) where l.tenant_id = current_tenant() and l.revision = w.revision and l.revision = l.shown
    order by l.id for update of l)
  update ledger l set revision = l.revision + 1, attempts = 0, not_before = null, parked_at = null, failure = null, owed_since = ${now}::timestamptz
  from mine where l.tenant_id = current_tenant() and l.id = mine.id
  returning l.id`

/** Owes what the ledger did not know, unless it does by now. */
export const oweUnknown = (things: readonly Pick<Unknown, 'id' | 'kind' | 'subject'>[], now: string): Statement =>
  sql`
  select owe(w.kind, array_agg(w.id), array_agg(w.subject), ${now}::timestamptz)
  from jsonb_to_recordset(${JSON.stringify(things)}::jsonb) as w (id uuid, kind text, subject text)
  where not exists (select from ledger l where l.tenant_id = current_tenant() and l.id = w.id)
  group by w.kind`

/** Which of these the ledger knows. */
export const knownIds = (ids: readonly string[]): Statement<{ id: string }> =>
  sql<{ id: string }>`select l.id from ledger l where l.tenant_id = current_tenant() and l.id = any(${ids}::uuid[])`
