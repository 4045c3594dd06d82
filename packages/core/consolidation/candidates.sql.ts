import { live } from '../memories/live.sql.ts'
import { raw, type Statement, sql } from '../sql.ts'
import type { Candidate } from './candidate.ts'
import { ONE_AT_A_TIME } from './outdated.ts'

/** Longer texts are compared as a whole: a vector says little of them, and to compare their words takes memory. */
const MOST_CHARACTERS = 2000

/** Memories of exactly this namespace that may be merged: chunks of documents belong to their document. */
const there = (namespace: string, now: string): Statement => sql`
  m.tenant_id = current_tenant() and m.namespace = ${namespace} and m.kind <> 'document' and m.pending_until is null and ${live(now)}`

/** A time that the caller named is part of what is said; what happened is another thing on another day. */
const candidate = sql`jsonb_build_object('id', m.id, 'version', m.version, 'key', m.key, 'kind', m.kind, 'speaker', m.speaker,
  'text', case when length(m.content) > ${MOST_CHARACTERS}::int then md5(m.content) else m.content end, 'long', length(m.content) > ${MOST_CHARACTERS}::int,
  'fields', md5(jsonb_build_array(m.kind, m.details, m.value)::text),
  'apart', md5(jsonb_build_array(m.type, m.kind, m.details, m.value, m.speaker,
    case when m.occurred_at <> m.created_at then iso(m.occurred_at) when m.type = 'episodic' then left(iso(m.occurred_at), 10) end)::text),
  'says', case when jsonb_array_length(m.relations) = 1 then jsonb_build_object(
    'from', m.relations->0->'from'->>'value', 'type', m.relations->0->>'type', 'to', m.relations->0->'to'->>'value') end,
  'importance', m.importance, 'at', iso(m.occurred_at), 'expiresAt', iso(m.ends_at))`

export interface ExactRow {
  /** The oldest of those that have the same words. */
  first: string
  candidate: Candidate
}

/**
 * Memories with the same words, found by the words that they are indexed by: `groups` of them after the cursor, with at
 * most `most` members each. Reads the words of the whole namespace.
 */
export const sameWords = (
  namespace: string,
  { after, groups, most }: { after: string | null; groups: number; most: number },
  now: string,
): Statement<ExactRow> => sql<ExactRow>`
  with alike as (
    select (array_agg(m.id order by m.id))[1:${most}::int] as ids
    from memories m join memory_versions v on v.tenant_id = m.tenant_id and v.memory_id = m.id and v.version = m.version
    where ${there(namespace, now)}
    group by m.type, m.kind, m.speaker, v.terms, v.counts having count(*) > 1 and count(*) > count(m.key)),
  page as (select ids from alike where ${after}::uuid is null or ids[1] > ${after}::uuid order by ids[1] limit ${groups}::int)
  select page.ids[1] as first, ${candidate} as candidate
  from page cross join unnest(page.ids) member (id) join memories m on m.tenant_id = current_tenant() and m.id = member.id
  order by 1, m.id`

/** Looked at for each memory. */
const MOST_RIVALS = 20

export interface NearRow {
  /** Of those that were looked at, the last; null: none was left. */
  last: string | null
  looked: number
  candidates: Candidate[]
  pairs: { a: string; b: string; similarity: number }[]
  /** Memories that give one thing two values of which it has one at a time. */
  rivals: { a: string; b: string }[]
}

export interface Near {
  after: string | null
  /** How many memories to look at, and how many that are near to ask for each. */
  seeds: number
  nearest: number
  /** Least cosine similarity. */
  least: number
  model: string
  dimensions: number
  /** Also those that are near to nothing. */
  all: boolean
  /** True: compare with every vector of the subject instead of asking the approximate index. */
  exact: boolean
}

/** How many vectors a subject has, counted up to `most`. */
export const vectorsOf = (subject: string, model: string, most: number): Statement<{ n: number }> => sql<{ n: number }>`
  select count(*)::int as n from (
    select from embeddings e where e.tenant_id = current_tenant() and e.model = ${model} and e.live and e.subject = ${subject} limit ${most}::int) v`

/**
 * The next memories of the namespace and what is near to each, older ones left out unless `all`. Laterals stand where joins
 * would do: they are a look-up for each row whatever the statistics say.
 */
export const near = (namespace: string, subject: string, n: Near, now: string): Statement<NearRow> => {
  // The cast is what the approximate index is made of.
  const half = (column: string) => raw(n.exact ? column : `${column}::halfvec(${n.dimensions})`)
  return sql<NearRow>`
  with seeds as materialized (
    select m.id, e.embedding
    from (
      select m.id from memories m
      where ${there(namespace, now)} and length(m.content) <= ${MOST_CHARACTERS}::int and (${n.after}::uuid is null or m.id > ${n.after}::uuid)
      order by m.id limit ${n.seeds}::int) m
    left join lateral (
      select e.embedding from embeddings e
      where e.tenant_id = current_tenant() and e.memory_id = m.id and e.model = ${n.model} and e.live offset 0) e on true),
  pairs as materialized (
    select s.id as a, x.memory_id as b, 1 - (x.embedding <=> s.embedding) as similarity
    from seeds s cross join lateral (
      select e.memory_id, e.embedding from embeddings e
      where e.tenant_id = current_tenant() and e.model = ${n.model} and e.live and e.subject = ${subject} and e.namespace = ${namespace}
        and e.memory_id <> s.id and (${n.all}::boolean or e.memory_id > s.id)
      order by ${half('e.embedding')} <=> ${half('s.embedding')} limit ${n.nearest}::int) x
    where s.embedding is not null and 1 - (x.embedding <=> s.embedding) >= ${n.least}::float8),
  rivals as materialized (
    select r.memory_id as a, o.memory_id as b
    from seeds s
    cross join lateral (
      select r.memory_id, r.from_id, r.type, r.to_id from relations r
      where r.tenant_id = current_tenant() and r.memory_id = s.id and r.type = any(${ONE_AT_A_TIME}::text[]) offset 0) r
    cross join lateral (
      select o.memory_id from relations o
      where o.tenant_id = current_tenant() and o.from_id = r.from_id and o.type = r.type and o.to_id <> r.to_id and o.namespace = ${namespace}
        and o.memory_id <> s.id order by o.memory_id limit ${MOST_RIVALS}::int) o),
  wanted as (select a as id from pairs union select b from pairs union select a from rivals union select b from rivals union select id from seeds where ${n.all}::boolean)
  select (select id from seeds order by id desc limit 1) as last, (select count(*) from seeds)::int as looked,
    (select coalesce(jsonb_agg(${candidate} order by m.id), '[]') from memories m where ${there(namespace, now)} and m.id = any(array(select id from wanted))
      and length(m.content) <= ${MOST_CHARACTERS}::int) as candidates,
    (select coalesce(jsonb_agg(to_jsonb(p)), '[]') from pairs p) as pairs, (select coalesce(jsonb_agg(to_jsonb(r)), '[]') from rivals r) as rivals`
}
