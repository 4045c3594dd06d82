import { raw, type Statement, sql } from '../sql.ts'
import type { NodeKind } from './port.ts'

/** What a lease is taken with. Times are ISO 8601, from the injected clock. */
export interface LeaseTerms {
  lease: string
  now: string
  until: string
  /** Earlier leases of the same graph session: what they hold may be taken again. */
  own?: readonly string[]
}

/** Owed, and neither somebody else's, nor waiting after a failure, nor parked. */
const due = ({ now, own = [] }: Pick<LeaseTerms, 'now' | 'own'>): Statement => sql`
  l.revision <> l.shown and l.parked_at is null
  and (l.leased_until is null or l.leased_until <= ${now}::timestamptz ${own.length === 0 ? sql`` : sql`or l.lease = any(${own}::uuid[])`}) and (l.not_before is null or l.not_before <= ${now}::timestamptz)`

/** The session that a memory `m` comes from, when both are of one subject. */
const sessionOf: Statement = sql`
  select s.id from sessions s where s.tenant_id = current_tenant() and s.name = m.session_id and s.subject = m.subject offset 0`

/** The other ends of what memories assert: the entities they mention, and the session they come from. */
const mentionedBy = (ids: readonly string[]): Statement => sql`
  select me.entity_id from memory_entities me where me.tenant_id = current_tenant() and me.memory_id = any(${ids}::uuid[])
  union all
  select s.id from memories m cross join lateral (${sessionOf}) s where m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[])`

const take = (picked: Statement, { lease, until }: LeaseTerms): Statement => sql`
  with picked as (${picked} for update skip locked)
  update ledger l set lease = ${lease}::uuid, leased_until = ${until}::timestamptz, attempts = l.attempts + 1
  where l.tenant_id = current_tenant() and l.id = any(array(select p.id from picked p))`

/**
 * Leases those of `ids` that are due, at most `most` rows, and with memories the entities they mention and their session:
 * an edge cannot be seen before both its ends.
 */
export const leaseThese = (ids: readonly string[], most: number, terms: LeaseTerms): Statement =>
  take(
    sql`select l.id from ledger l
      where l.tenant_id = current_tenant() and l.id = any(array(select unnest(${ids}::uuid[]) union ${mentionedBy(ids)})) and ${due(terms)}
      order by l.id = any(${ids}::uuid[]) desc, l.id limit ${most}::int`,
    terms,
  )

/** Leases the `most` rows of the tenant that have been owed longest. */
export const leaseOldest = (most: number, terms: LeaseTerms): Statement =>
  take(
    sql`select l.id from ledger l where l.tenant_id = current_tenant() and ${due(terms)} order by l.owed_since limit ${most}::int`,
    terms,
  )

/** A ledger row with what Postgres says of its thing: all that its projection is made of. */
export interface Truth {
  id: string
  kind: NodeKind
  subject: string
  bucket: number
  revision: number
  memory: MemoryTruth | null
  entity: EntityTruth | null
  session: SessionTruth | null
}

export interface LedgerRow extends Truth {
  shown: number
  mine: boolean
  /** Leased by somebody else at this moment. */
  taken: boolean
  /** Parked, or waiting after a failure. */
  failed: boolean
  generations: number[]
  epoch: number
}

export interface MemoryTruth {
  namespace: string
  type: string
  kind: string
  version: number
  contentHash: string
  importance: number
  occurredAt: string
  /** Deleted or expired: nothing to show. What something else took the place of is shown still, so that the edge can lead to it. */
  gone: boolean
  mentions: { entity: string; about: boolean; confidence: number; namespace: string }[] | null
  relations: { from: string; type: string; to: string; confidence: number; namespace: string }[] | null
  /** The session it comes from. */
  session: string | null
  /** Whose place it took. */
  supersedes: string[] | null
}

export interface SessionTruth {
  namespace: string
  name: string
  appName: string
  projectId: string | null
  status: string
  createdAt: string
  terminatedAt: string | null
}

export interface EntityTruth {
  type: string
  value: string
  normalized: string
  /** Edges from it that were made explicitly, by its subject. */
  links: { type: string; to: string; confidence: number }[] | null
}

/** What joined two entities that were merged since joins nothing. */
const betweenTwo = (edge: 'r' | 'k'): Statement =>
  raw(`(${edge}.from_id <> ${edge}.to_id or ${edge}.from_alias is not distinct from ${edge}.to_alias)`)

/** What Postgres says of the thing of a ledger row `l`, where it is `wanted`. Of two names of one entity that a memory mentions it shows one edge. */
export const truthOf = (wanted: Statement, now: string): Statement => sql`
    case when ${wanted} and l.kind = 'memory' then (
      select jsonb_build_object('namespace', m.namespace, 'type', m.type, 'kind', m.kind, 'version', m.version,
        'contentHash', encode(sha256(convert_to(m.content, 'UTF8')), 'hex'), 'importance', m.importance, 'occurredAt', iso(m.occurred_at),
        'gone', case when m.deleted_at is null then coalesce(m.ends_at <= ${now}::timestamptz, false) else m.superseded_by is null end,
        'mentions', (
          select jsonb_agg(jsonb_build_object('entity', me.entity_id, 'about', me.about, 'confidence', me.confidence, 'namespace', me.namespace))
          from (
            select me.entity_id, bool_or(me.about) as about, max(me.confidence) as confidence, min(me.namespace) as namespace
            from memory_entities me where me.tenant_id = m.tenant_id and me.memory_id = m.id group by me.entity_id) me),
        'relations', (
          select jsonb_agg(jsonb_build_object('from', r.from_id, 'type', r.type, 'to', r.to_id, 'confidence', r.confidence, 'namespace', r.namespace))
          from (
            select r.from_id, r.type, r.to_id, max(r.confidence) as confidence, min(r.namespace) as namespace
            from relations r where r.tenant_id = m.tenant_id and r.memory_id = m.id and ${betweenTwo('r')} group by r.from_id, r.type, r.to_id) r),
        'session', (${sessionOf}),
        'supersedes', (
          select jsonb_agg(s.id) from memories s where s.tenant_id = m.tenant_id and s.superseded_by = m.id))
      from memories m where m.tenant_id = l.tenant_id and m.id = l.id) end as memory,
    case when ${wanted} and l.kind = 'entity' then (
      select jsonb_build_object('type', e.type, 'value', e.value, 'normalized', e.normalized, 'links', (
        select jsonb_agg(jsonb_build_object('type', k.type, 'to', k.to_id, 'confidence', k.confidence))
        from (
          select k.type, k.to_id, max(k.confidence) as confidence
          from links k where k.tenant_id = e.tenant_id and k.from_id = e.id and ${betweenTwo('k')} group by k.type, k.to_id) k))
      from entities e where e.tenant_id = l.tenant_id and e.id = l.id and e.kept_id is null) end as entity,
    case when ${wanted} and l.kind = 'session' then (
      select jsonb_build_object('namespace', s.namespace, 'name', s.name, 'appName', s.app_name, 'projectId', s.project_id, 'status', s.status,
        'createdAt', iso(s.created_at), 'terminatedAt', iso(s.terminated_at))
      from sessions s where s.tenant_id = l.tenant_id and s.id = l.id) end as session`

/**
 * The leased rows with their truth, and how it stands with the others of `ids` and what they mention: one statement, so revision and truth
 * are of one snapshot. Pending memories are read too: the graph must have them before anybody else may.
 */
export const readLeased = (ids: readonly string[], { lease, now }: LeaseTerms): Statement<LedgerRow> => sql<LedgerRow>`
  select l.id, l.kind, l.subject, l.bucket::int as bucket, l.revision, l.shown, s.generations, s.epoch,
    coalesce(l.lease = ${lease}::uuid, false) as mine,
    coalesce(l.leased_until > ${now}::timestamptz, false) as taken,
    l.parked_at is not null or coalesce(l.not_before > ${now}::timestamptz, false) as failed,
    ${truthOf(sql`l.lease = ${lease}::uuid`, now)}
  from ledger l cross join graph_state() s
  where l.tenant_id = current_tenant()
    and l.id = any(array(
      select a.id from ledger a where a.tenant_id = current_tenant() and a.lease = ${lease}::uuid
      union select unnest(${ids}::uuid[]) union ${mentionedBy(ids)}))
    and (l.lease = ${lease}::uuid or l.revision <> l.shown or l.id = any(${ids}::uuid[]))
  order by l.id`

/** What the graph was seen to take. */
export interface Settled {
  id: string
  revision: number
  version: number | null
  digest: readonly [number, number] | null
  /** Edges it asserts; null for a tombstone. */
  degree: number | null
}

/**
 * Notes what the graph shows now, for rows that are still ours, in the epoch they were leased in. A row that moved
 * meanwhile stays owed, since the moment we read it: what moved it came later.
 */
export const settleLeased = (
  rows: readonly Settled[],
  epoch: number,
  readAt: string,
  { lease, now }: LeaseTerms,
): Statement<{ id: string; revision: number; shown: number }> => sql`
  with s as (select * from jsonb_to_recordset(${JSON.stringify(
    rows.map(({ id, revision, version, digest, degree }) => ({ id, revision, version, high: digest?.[0], low: digest?.[1], degree })),
  )}::jsonb) as s (id uuid, revision int, version int, high int, low int, degree int)),
  mine as materialized (
    select l.id from ledger l cross join graph_state() g
    where l.tenant_id = current_tenant() and l.lease = ${lease}::uuid and g.epoch = ${epoch}::int order by l.id for update of l),
  settled as (
    update ledger l set shown = s.revision, shown_version = s.version, shown_at = ${now}::timestamptz, digest_high = s.high, digest_low = s.low, degree = s.degree,
      tombstone_at = case when s.high is null then ${now}::timestamptz end, lease = null, leased_until = null,
      attempts = 0, not_before = null, failure = null,
      owed_since = case when l.revision = s.revision then l.owed_since else greatest(l.owed_since, ${readAt}::timestamptz) end
    from s join mine using (id)
    where l.tenant_id = current_tenant() and l.id = s.id and l.lease = ${lease}::uuid
    returning l.id, l.revision, l.shown),
  -- What was once parked is shown at last.
  repaired as (
    update drift d set repaired_at = ${now}::timestamptz
    from settled where d.tenant_id = current_tenant() and d.thing = any(${rows.map(({ id }) => id)}::text[]) and d.thing = settled.id::text
      and d.parked and d.repaired_at is null)
  select id, revision, shown from settled`

/**
 * Notes what the graph refused: tried again later and later, parked at the last attempt until somebody changes or retries
 * it, and named as drift from then on. Whatever was owed anew since it was read deserves a new attempt at once.
 */
export const failLeased = (
  rows: readonly { id: string; revision: number; failure: string }[],
  { attempts, baseSeconds, id }: { attempts: number; baseSeconds: number; id: () => string },
  { lease, now }: LeaseTerms,
): Statement => sql`
  with s as (select * from jsonb_to_recordset(${JSON.stringify(
    rows.map((row) => ({ ...row, drift: id() })),
  )}::jsonb) as s (id uuid, revision int, failure text, drift uuid)),
  mine as materialized (select l.id from ledger l where l.tenant_id = current_tenant() and l.lease = ${lease}::uuid order by l.id for update),
  failed as (
    update ledger l set lease = null, leased_until = null, failure = s.failure,
      not_before = ${now}::timestamptz + least(${baseSeconds}::float8 * 2 ^ (l.attempts - 1), 3600) * interval '1 second',
      parked_at = case when l.attempts >= ${attempts}::int then ${now}::timestamptz end
    from s join mine using (id)
    where l.tenant_id = current_tenant() and l.id = s.id and l.revision = s.revision
    returning l.id, l.kind, l.subject, l.bucket, l.digest_high is null as missing, l.parked_at, s.drift)
  insert into drift as d (tenant_id, id, kind, thing, what, subject, bucket, deep, parked, found_at)
  select current_tenant(), f.drift, case when f.missing then 'missing' else 'stale' end, f.id::text, f.kind, f.subject, f.bucket, false, true, ${now}::timestamptz
  from failed f where f.parked_at is not null order by 3, 4, 5
  on conflict (tenant_id, kind, thing, what) where repaired_at is null do update set parked = true`

/** Gives back whatever this lease still holds; an attempt that the graph's absence spoiled does not count. */
export const releaseLeased = ({ lease }: LeaseTerms): Statement => sql`
  with mine as materialized (select l.id from ledger l where l.tenant_id = current_tenant() and l.lease = ${lease}::uuid order by l.id for update)
  update ledger l set lease = null, leased_until = null, attempts = greatest(l.attempts - 1, 0)
  from mine where l.tenant_id = current_tenant() and l.id = mine.id and l.lease = ${lease}::uuid`
