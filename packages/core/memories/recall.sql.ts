import { within } from '../namespaces/inside.sql.ts'
import type { Range } from '../ports.ts'
import { raw, type Statement, sql } from '../sql.ts'
import { currentAt, live } from './live.sql.ts'
import type { Memory } from './memory.ts'
import { embeddedOf } from './write.sql.ts'

/** What one search asks of Postgres, every default decided. */
export interface Gathering {
  ranges: readonly Range[]
  /** The subjects that the ranges lie in; null when they are too wide to name them. */
  subjects: readonly string[] | null
  model: string
  dimensions: number
  /** The query's vector as text; null when there is none (mode `text`, or the model is down). */
  vector: string | null
  terms: readonly number[]
  /** True: compare with every vector in the ranges instead of asking the approximate index. */
  exact: boolean
  /** How many candidates each way of searching may bring. */
  candidates: number
  types: readonly string[] | null
  kinds: readonly string[] | null
  /** Conditions over `m` (tags, metadata, times), which no index answers under row-level security. */
  conditions: Statement
  threshold: number | null
  limit: number
  now: string
  weights: Weights
}

export interface Weights {
  vector: number
  text: number
  entity: number
  recency: number
  importance: number
}

export interface RecallRow {
  memory: Memory
  score: number
  vector: number | null
  text: number | null
  entity: number | null
  recency: number
  importance: number
  /** How many the approximate index brought; as many as asked for means that there may be more. */
  scanned: number
  owed_since: string | null
  /** The graph's generation that readers see, first. */
  generations: number[]
}

/** `column` is one of these; null: anything. Spelled out, so that an index can be asked. */
export const any = (column: string, values: readonly string[] | null): Statement =>
  values === null ? sql`true` : values.length === 1 ? sql`${raw(column)} = ${values[0]}` : sql`${raw(column)} = any(${values}::text[])`

const inSubjects = (g: Pick<Gathering, 'subjects'>, column: string): Statement =>
  g.subjects === null ? sql`true` : sql`${raw(column)} = any(array(select subject_number(s) from unnest(${g.subjects}::text[]) s))`

/** Nearest vectors. The cast to half precision is what the index is made of; without it the scan is exact. */
const nearest = (g: Gathering): Statement => {
  if (g.vector === null) return sql`select null::bigint as row, null::int as subject where false`
  const dimensions = raw(String(g.dimensions))
  const distance = g.exact
    ? sql`e.embedding <=> ${g.vector}::vector`
    : sql`e.embedding::halfvec(${dimensions}) <=> ${g.vector}::halfvec(${dimensions})`
  const filtered = g.exact ? sql`join readable_memories m on m.tenant_id = e.tenant_id and m.id = e.memory_id and ${g.conditions}` : sql``
  return sql`
    select n.row, subject_number(n.subject) as subject from (
      select e.row, e.subject from embeddings e ${filtered}
      where e.tenant_id = current_tenant() and e.model = ${g.model} and e.live and ${any('e.subject', g.subjects)}
        and ${within(sql`e.namespace`, g.ranges)} and ${any('e.type', g.types)} and ${any('e.kind', g.kinds)}
      order by ${distance} limit ${g.candidates}::int) n`
}

/**
 * BM25 (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework", k1 1.2, b 0.75): what each of the terms
 * `asked (term, n, length)` weighs, by how many memories have it and how long those are together. The number of documents
 * is counted up to a cap and never taken below the commonest term's frequency, which is exact: it decides little but the
 * weight of words that nearly every memory has. Logarithms are taken once for each term, and constants are double
 * precision, because numeric ones cost more than the index.
 */
const weighing = (asked: Statement, documents: Statement): Statement => sql`
  asked as materialized (${asked}),
  size as materialized (
    select greatest((select count(*) from (${documents} limit 2000) c), max(n))::float8 as documents, sum(length)::float8 / sum(n)::float8 as length
    from asked),
  weighted as materialized (
    select a.term, a.n, coalesce(sum(a.n) over (order by a.n, a.term rows between unbounded preceding and 1 preceding), 0) as rarer,
      2.2::float8 * ln(1 + (s.documents - a.n + 0.5::float8) / (a.n + 0.5::float8)) as weight, 0.9::float8 / s.length as longer
    from asked a cross join size s)`

/** What a term, `w` of `weighted`, gives a document that has it `h.count` times among `h.length` words. */
const given = sql`w.weight * h.count / (h.count + 0.3::float8 + w.longer * h.length)`

/** How many postings a search reads for candidates, however common its words are. */
const POSTINGS = 20_000

/**
 * The memories that the words bring. Once the rarer ones have brought enough, a term that would take more than POSTINGS
 * brings none of its own; it still counts for those that are candidates. Of 60,000 memories of one user 98 % of the ten
 * best stay the same, and the search takes 9 ms instead of 28 with four words, 13 instead of 32 with eight.
 */
const posted = (g: Gathering): Statement => sql`${weighing(
  sql`select p.term, count(*) as n, sum(p.length) as length from postings p
    where p.tenant_id = current_tenant() and p.term = any(${g.terms}::int[]) and ${inSubjects(g, 'p.subject')} group by p.term`,
  // Range by range: of conditions joined by 'or' no index makes one, and all of the tenant was read to count a hundred.
  sql`select from unnest(${g.ranges.map((r) => r.low)}::text[], ${g.ranges.map((r) => r.high)}::text[]) r (low, high)
    cross join lateral (
      select from memories m where m.tenant_id = current_tenant() and m.namespace >= r.low collate "C" and m.namespace < r.high collate "C" limit 2000) m`,
)},
  worded as materialized (
    select h.row, h.subject, sum(${given}) as score
    from weighted w
    cross join lateral (
      select p.row, p.subject, p.count, p.length from postings p
      where p.tenant_id = current_tenant() and p.term = w.term and ${inSubjects(g, 'p.subject')} offset 0) h
    where w.rarer < 2 * ${g.candidates}::int or w.rarer + w.n <= ${POSTINGS}::int
    group by h.row, h.subject
    order by score desc, h.row desc limit ${g.candidates}::int)`

/** Entities whose whole name is in the query; of what was merged the one that is kept. Nothing of 50 names more. */
export const namedEntities = (g: Pick<Gathering, 'terms' | 'subjects'>): Statement => sql`
  named as materialized (
    select distinct coalesce(e.kept_id, e.id) as entity_id
    from (
      select t.entity_id
      from entity_terms t
      where t.tenant_id = current_tenant() and t.term = any(${g.terms}::int[]) and ${inSubjects(g, 't.subject')}
      group by t.entity_id
      having count(*) = (select count(*) from entity_terms a where a.tenant_id = current_tenant() and a.entity_id = t.entity_id)
      limit 50) t
    cross join lateral (select e.id, e.kept_id from entities e where e.tenant_id = current_tenant() and e.id = t.entity_id offset 0) e)`

/** The memories that mention these entities; the rarer the entity, the more it says. One that a thousand mention says nothing and is left out. */
const named = (g: Gathering): Statement => sql`
  ${namedEntities(g)},
  mentioned as materialized (
    select me.memory_id, sum(me.confidence / ln(2.7182818 + c.mentions))::float8 as score
    from named n
    cross join lateral (
      select count(*) as mentions from (
        select 1 from memory_entities x where x.tenant_id = current_tenant() and x.entity_id = n.entity_id limit 1000) x) c
    join memory_entities me on me.tenant_id = current_tenant() and me.entity_id = n.entity_id
    where c.mentions < 1000
    group by me.memory_id)`

/** What a search without words finds by them. Planning what cannot find anything took two milliseconds of eleven. */
const wordless = sql`
  weighted as (select null::int as term, null::float8 as weight, null::float8 as longer where false),
  worded as (select null::bigint as row, null::int as subject where false),
  mentioned as (select null::uuid as memory_id, null::float8 as score where false)`

/**
 * For the transaction of a search, before its statement. By itself the index looks at 40 vectors, whatever filters leave
 * of them: of 60 asked for in a quarter of 20,000 it brought 10, with a recall of 0.89. So it goes on, in order, until
 * there are enough: 60, and 1.00.
 */
export const searching: Statement = sql`select set_config('hnsw.ef_search', '100', true), set_config('hnsw.iterative_scan', 'strict_order', true)`

/**
 * One statement: gathers candidates by vector, words and entities, gives each all of its raw scores (so that one that
 * came by its words has its exact similarity too), filters, and fuses by weighted sums of min-max normalised scores.
 * The planner cannot know how many rows each way brings, so what meets is grouped, not joined, and rows are looked up
 * one by one: with joins it chose nested loops over everything, ten times slower at 200 candidates. Between the two
 * indexes of vectors it chooses well: the subject's up to some 8,000 (5,000: 12 ms, else 21), HNSW above (20,000: 5, else 35).
 */
export const gather = (g: Gathering): Statement<RecallRow> => sql<RecallRow>`
  with near as materialized (${nearest(g)}),
  ${g.terms.length === 0 ? wordless : sql`${posted(g)}, ${named(g)}`},
  entitled as materialized (
    select m.row, m.subject, x.score
    from (select memory_id, score from mentioned order by score desc, memory_id limit ${g.candidates}::int) x
    cross join lateral (
      select m.row, subject_number(m.subject) as subject from memories m where m.tenant_id = current_tenant() and m.id = x.memory_id limit 1) m),
  candidates as materialized (
    select row, subject, max(entity) as entity
    from (
      select row, subject, null::float8 as entity from near
      union all select row, subject, null from worded
      union all select row, subject, score from entitled) each
    group by row, subject),
  scored as materialized (
    select m.id, m.occurred_at, m.importance, t.score as text, c.entity, ${g.vector === null ? sql`null::float8` : sql`1 - (e.embedding <=> ${g.vector}::vector)`} as vector
    from candidates c
    cross join lateral (
      select m.id, m.occurred_at, m.importance from readable_memories m
      where m.tenant_id = current_tenant() and m.row = c.row and ${live(g.now)}
        and ${within(sql`m.namespace`, g.ranges)} and ${any('m.type', g.types)} and ${any('m.kind', g.kinds)} and ${g.conditions}
      limit 1) m
    cross join lateral (
      select sum(${given}) as score from weighted w
      cross join lateral (
        select p.count, p.length from postings p
        where p.tenant_id = current_tenant() and p.term = w.term and p.subject = c.subject and p.row = c.row offset 0) h) t
    left join lateral (
      select e.embedding from embeddings e
      where e.tenant_id = current_tenant() and e.memory_id = m.id and e.model = ${g.model} and e.live limit 1) e on true),
  ${fused(g)},
  best as materialized (
    select * from fused f where ${g.threshold === null ? sql`true` : sql`f.vector >= ${g.threshold}::float8`}
    order by f.score desc, f.id desc limit ${g.limit}::int)
  select m.json as memory, f.score, f.vector, f.text, f.entity, f.recency, f.importance, (select count(*) from near)::int as scanned,
    (select iso(min(l.owed_since)) from ledger l where l.tenant_id = current_tenant() and l.revision <> l.shown) as owed_since,
    (select s.generations from graph_state() s) as generations
  from best f
  cross join lateral (select m.json from readable_memories m where m.tenant_id = current_tenant() and m.id = f.id limit 1) m
  order by f.score desc, f.id desc`

/**
 * Each score between 0 and 1 among the candidates, weighted and divided by the sum of the weights in play. Recency
 * halves every thirty days; importance counts from 0 to 10. Expects `scored (id, occurred_at, importance, text, entity, vector)`.
 */
const fused = ({ weights, vector, terms, now }: Pick<Gathering, 'weights' | 'vector' | 'terms' | 'now'>): Statement => {
  const w = { ...weights, vector: vector === null ? 0 : weights.vector, text: terms.length === 0 ? 0 : weights.text }
  const total = w.vector + w.text + w.recency + w.importance
  const all = sql`(${total}::float8 + case when x.emax is null then 0 else ${w.entity}::float8 end)`
  return sql`
  ranges as materialized (select min(vector) as vmin, max(vector) as vmax, max(text) as tmax, max(entity) as emax from scored),
  fused as (
    select s.id, s.vector, s.text, s.entity, r.recency, s.importance / 10 as importance,
      (${w.vector}::float8 * coalesce(case when x.vmax > x.vmin then (s.vector - x.vmin) / (x.vmax - x.vmin) when s.vector is not null then 1 end, 0)
        + ${w.text}::float8 * coalesce(s.text / nullif(x.tmax, 0), 0)
        + ${w.entity}::float8 * coalesce(s.entity / nullif(x.emax, 0), 0)
        + ${w.recency}::float8 * r.recency + ${w.importance}::float8 * s.importance / 10) / ${all} as score
    from scored s cross join ranges x
    cross join lateral (select power(0.5, greatest(0, extract(epoch from ${now}::timestamptz - s.occurred_at)) / 2592000)::float8 as recency) r)`
}

/**
 * The same as of a moment in the past: over the versions that were current then, with the vectors and words they had.
 * Exact and without an index, so it needs a namespace or a prefix.
 */
export const gatherAsOf = (g: Gathering, asOf: string): Statement<RecallRow> => sql<RecallRow>`
  with versions as (
    select distinct on (v.memory_id) v.memory_id as id, v.version, v.memory, v.terms, v.counts, v.ended_at,
      case when v.version = r.version then r.ends_at end as ends_at
    from memory_versions v join readable_memories r on r.tenant_id = v.tenant_id and r.id = v.memory_id
    where v.tenant_id = current_tenant() and ${within(sql`v.namespace`, g.ranges)} and v.at <= ${asOf}::timestamptz
    order by v.memory_id, v.version desc),
  m as materialized (
    select id, version, memory, terms, counts, memory->'metadata' as metadata, array(select jsonb_array_elements_text(memory->'tags')) as tags,
      memory->>'type' as type, memory->>'kind' as kind, (memory->>'occurredAt')::timestamptz as occurred_at, (memory->>'importance')::float8 as importance,
      (memory->>'expiresAt')::timestamptz as expires_at
    from versions v
    where v.memory->>'deletedAt' is null and ${currentAt(asOf)} and (v.ends_at is null or v.ends_at > ${asOf}::timestamptz)),
  hits as materialized (
    select m.id as doc, t.term, t.count, (select sum(c) from unnest(m.counts) c) as length
    from m cross join unnest(m.terms, m.counts) t (term, count) where t.term = any(${g.terms}::int[])),
  ${weighing(sql`select term, count(*) as n, sum(length) as length from hits group by term`, sql`select from m`)},
  worded as materialized (select h.doc, sum(${given}) as score from hits h join weighted w using (term) group by h.doc),
  scored as materialized (
    select m.id, m.occurred_at, m.importance, w.score as text, null::float8 as entity,
      ${g.vector === null ? sql`null::float8` : sql`1 - (e.embedding <=> ${g.vector}::vector)`} as vector
    from m
    left join worded w on w.doc = m.id
    left join lateral (
      select case when ${embeddedOf('o.memory')} = ${embeddedOf('m.memory')} then x.embedding end as embedding from (
        select p.version, p.embedding from past_embeddings p where p.tenant_id = current_tenant() and p.memory_id = m.id and p.model = ${g.model}
        union all
        select c.version, c.embedding from embeddings c where c.tenant_id = current_tenant() and c.memory_id = m.id and c.model = ${g.model}) x
      join memory_versions o on o.tenant_id = current_tenant() and o.memory_id = m.id and o.version = x.version
      where x.version <= m.version order by x.version desc limit 1) e on true
    where (m.expires_at is null or m.expires_at > ${asOf}::timestamptz)
      and ${any('m.type', g.types)} and ${any('m.kind', g.kinds)} and ${g.conditions}
      and (${g.vector !== null}::boolean or w.score is not null)),
  ${fused(g)}
  select m.memory, f.score, f.vector, f.text, f.entity, f.recency, f.importance, 0 as scanned, null as owed_since, '{}'::int[] as generations
  from fused f join m on m.id = f.id
  where ${g.threshold === null ? sql`true` : sql`f.vector >= ${g.threshold}::float8`}
  order by f.score desc, f.id desc limit ${g.limit}::int`
