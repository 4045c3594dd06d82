import { markCollectable } from '../entities/collect.sql.ts'
import { normalize } from '../entities/mentions.ts'
import { raw, type Statement, sql } from '../sql.ts'
import { terms, tokenizer, withoutAccents } from '../text/words.ts'
import type { Draft } from './draft.ts'

/**
 * The statements that new memories and new versions have in common. Each takes any number of drafts. Where rows are joined
 * to drafts their ids are named as well: a planner that takes any JSON for a hundred rows reads thousands of memories instead.
 */

const json = (rows: unknown): string => JSON.stringify(rows)

const columns = sql`(id uuid, namespace text, key text, type text, kind text, content text, value jsonb, details jsonb, summary text, importance float8,
  metadata jsonb, tags text[], entities jsonb, relations jsonb, conversation_id text, session_id text, task_id text, speaker text,
  occurred_at timestamptz, expires_at timestamptz, owes_embedding boolean, owes_entities boolean, terms int[], counts int[], request_hash text)`

const row = (d: Draft) => ({
  id: d.id,
  namespace: d.namespace,
  key: d.key,
  type: d.type,
  kind: d.kind,
  content: d.content,
  value: d.value,
  details: d.details,
  summary: d.summary,
  importance: d.importance,
  metadata: d.metadata,
  tags: d.tags,
  entities: d.entities,
  relations: d.relations,
  conversation_id: d.conversationId,
  session_id: d.sessionId,
  task_id: d.taskId,
  speaker: d.speaker,
  occurred_at: d.occurredAt,
  expires_at: d.expiresAt,
  owes_embedding: d.owesEmbedding,
  owes_entities: d.owesEntities,
  terms: d.terms.map((t) => t.term),
  counts: d.terms.map((t) => t.count),
  request_hash: d.requestHash,
})

export interface Write {
  action: string
  reason: string | null
  now: string
  idempotencyKey: string | null
}

/** New memories with their first versions. `pendingUntil` makes them nobody's to read until they are published. */
export const insertMemories = (drafts: readonly Draft[], write: Write, pendingUntil: string | null): Statement => sql`
  with w as (select * from jsonb_to_recordset(${json(drafts.map(row))}::jsonb) as w ${columns}),
  made as (
    insert into memories (tenant_id, id, namespace, key, type, kind, content, value, details, summary, importance, metadata, tags, entities, relations,
      conversation_id, session_id, task_id, speaker, occurred_at, expires_at, version, created_by, updated_by, created_at, updated_at,
      pending_until, owes_embedding, owes_entities)
    select current_tenant(), id, namespace, key, type, kind, content, value, details, summary, importance, metadata, tags, entities, relations,
      conversation_id, session_id, task_id, speaker, occurred_at, expires_at, 1, current_actor(), current_actor(), ${write.now}::timestamptz, ${write.now}::timestamptz,
      ${pendingUntil}::timestamptz, owes_embedding, owes_entities
    from w order by id
    returning *)
  ${recordVersions(write)}`

/** A next version, and what it was made from. */
export interface Revised extends Draft {
  readVersion: number
  /** What models owed the memory when it was read and owe its next version as well. */
  stillOwed: { embedding: boolean; entities: boolean }
}

/**
 * The next version of memories that are still at the version they were read at, and still owed what is to stay owed: making
 * that up makes no version. Somebody quicker: `version_mismatch`, and the whole list with it, audit row included.
 */
export const updateMemories = (drafts: readonly Revised[], write: Write): Statement => sql`
  with w as (select * from jsonb_to_recordset(${json(drafts.map(row))}::jsonb) as w ${columns}),
  seen as (select * from jsonb_to_recordset(${json(drafts.map((d) => ({ id: d.id, version: d.readVersion, ...d.stillOwed })))}::jsonb)
    as s (id uuid, version int, embedding boolean, entities boolean)),
  made as (
    update memories m set key = w.key, type = w.type, kind = w.kind, content = w.content, value = w.value, details = w.details, summary = w.summary,
      importance = w.importance, metadata = w.metadata, tags = w.tags, entities = w.entities, relations = w.relations,
      conversation_id = w.conversation_id, session_id = w.session_id, task_id = w.task_id, speaker = w.speaker,
      occurred_at = w.occurred_at, expires_at = w.expires_at, version = m.version + 1, updated_by = current_actor(),
      updated_at = greatest(${write.now}::timestamptz, m.updated_at + interval '1 ms'), deleted_at = null, superseded_by = null,
      owes_embedding = w.owes_embedding, owes_entities = w.owes_entities
    from w join seen s using (id)
    where m.tenant_id = current_tenant() and m.id = any(${drafts.map((d) => d.id)}::uuid[]) and m.id = w.id and m.version = s.version and m.pending_until is null
      and (m.owes_embedding or not s.embedding) and (m.owes_entities or not s.entities)
    returning m.*),
  guard as (select refuse('version_mismatch', 'The memory has changed since it was read.') from (select count(*) as n from made) c where c.n <> ${drafts.length}),
  versioned as (${recordVersions(write)})
  select * from guard`

const recordVersions = (write: Write): Statement => sql`
  insert into memory_versions (tenant_id, memory_id, version, namespace, action, reason, actor, on_behalf_of, request_id, at, memory,
    terms, counts, tokenizer, request_hash, idempotency_key)
  select made.tenant_id, made.id, made.version, made.namespace, ${write.action}, ${write.reason}, current_actor(),
    nullif(current_setting('twofold.behalf', true), ''), nullif(current_setting('twofold.request', true), ''), made.updated_at,
    memory_json(made), w.terms, w.counts, ${tokenizer}, decode(w.request_hash, 'hex'), ${write.idempotencyKey}
  from made join w on w.id = made.id`

/** Vectors of the drafts that have one. Vectors they replace are kept for searches as of then. */
export function upsertEmbeddings(drafts: readonly Pick<Draft, 'id' | 'embedding'>[], model: string, live: boolean): Statement[] {
  const vectors = drafts.flatMap((d) => (d.embedding ? [{ id: d.id, embedding: vectorText(d.embedding) }] : []))
  if (vectors.length === 0) return []
  const statement = sql`
  with w as (select * from jsonb_to_recordset(${json(vectors)}::jsonb) as w (id uuid, embedding text)),
  kept as (
    insert into past_embeddings (tenant_id, memory_id, model, version, embedding)
    select e.tenant_id, e.memory_id, e.model, e.version, e.embedding
    from embeddings e join w on e.tenant_id = current_tenant() and e.memory_id = w.id and e.model = ${model}
    on conflict do nothing)
  insert into embeddings (tenant_id, memory_id, row, model, subject, namespace, type, kind, live, version, embedding)
  select m.tenant_id, m.id, m.row, ${model}, m.subject, m.namespace, m.type, m.kind, ${live}::boolean, m.version, w.embedding::vector
  from w join memories m on m.tenant_id = current_tenant() and m.id = any(${vectors.map((v) => v.id)}::uuid[]) and m.id = w.id
  order by m.id
  on conflict (tenant_id, memory_id, model) do update
    set embedding = excluded.embedding, version = excluded.version, type = excluded.type, kind = excluded.kind, live = excluded.live`
  return [statement]
}

/** A vector whose text was replaced must not answer for the new one while that is owed: it moves to the past. */
export const retireEmbeddings = (ids: readonly string[]): Statement => sql`
  with gone as (delete from embeddings where tenant_id = current_tenant() and memory_id = any(${ids}::uuid[]) returning *)
  insert into past_embeddings (tenant_id, memory_id, model, version, embedding)
  select tenant_id, memory_id, model, version, embedding from gone on conflict do nothing`

/** The filter columns of vectors that stay. Touches the vector's row only when something differs. */
export const relabelEmbeddings = (ids: readonly string[]): Statement => sql`
  update embeddings e set type = m.type, kind = m.kind, live = m.deleted_at is null and m.pending_until is null
  from memories m
  where e.tenant_id = current_tenant() and e.memory_id = any(${ids}::uuid[]) and m.tenant_id = e.tenant_id and m.id = e.memory_id
    and (e.type, e.kind, e.live) is distinct from (m.type, m.kind, m.deleted_at is null and m.pending_until is null)`

/**
 * Makes the words of the current versions searchable, where they are there to be found. What a memory's words have in common
 * is made once for each memory (`offset 0`), which the planner would otherwise do for each word: 13,195 times for 200 chunks.
 */
export const insertPostings = (ids: readonly string[]): Statement => sql`
  insert into postings (tenant_id, term, subject, row, count, length)
  select w.tenant_id, t.term, w.subject, w.row, t.count, w.length
  from (
    select m.tenant_id, m.row, subject_number(m.subject) as subject, v.terms, v.counts, (select sum(c) from unnest(v.counts) c) as length
    from memories m
    join memory_versions v on v.tenant_id = m.tenant_id and v.memory_id = m.id and v.version = m.version
    where m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[]) and m.deleted_at is null and m.pending_until is null offset 0) w
  cross join unnest(w.terms, w.counts) t (term, count)
  on conflict do nothing`

/**
 * Takes the words of the given versions out again. Runs before the row or its versions change or go. Each is looked up by
 * itself: joined, the index was asked by term alone, and 24,000 postings read to delete 29; of 500 memories it took minutes.
 */
export const deletePostings = (ids: readonly string[]): Statement => sql`
  with gone as materialized (
    select m.row, subject_number(m.subject) as subject, t.term
    from memories m
    join memory_versions v on v.tenant_id = m.tenant_id and v.memory_id = m.id and v.version = m.version
    cross join unnest(v.terms) t (term)
    where m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[])),
  found as materialized (
    select p.ctid from gone cross join lateral (
      select p.ctid from postings p
      where p.tenant_id = current_tenant() and p.term = gone.term and p.subject = gone.subject and p.row = gone.row offset 0) p)
  delete from postings p using found where p.tenant_id = current_tenant() and p.ctid = found.ctid`

export type Mentioning = Pick<Draft, 'id' | 'namespace' | 'subject' | 'entities' | 'relations'>

/** Entities that are new in their subject, with the words they are found by; only new ones are owed to the graph. */
export function upsertEntities(drafts: readonly Mentioning[], now: string, id: () => string): Statement[] {
  const wanted = new Map<string, NamedEntity>()
  for (const { subject, entities } of drafts) {
    for (const { type, value, normalized } of entities) {
      const name = json([subject, type, normalized])
      if (!wanted.has(name)) wanted.set(name, { id: id(), subject, type, value, normalized })
    }
  }
  return wanted.size === 0 ? [] : [insertEntities([...wanted.values()], now)]
}

export interface NamedEntity {
  /** Its id, should it be new. */
  id: string
  subject: string
  type: string
  value: string
  normalized: string
}

/** The same of entities by themselves. Those made explicitly stay when nothing mentions them; one that is known keeps its first spelling. */
export const insertEntities = (wanted: readonly NamedEntity[], now: string, explicit = false): Statement => sql`
  with w as (select * from jsonb_to_recordset(${json(wanted.map((e) => ({ ...e, terms: terms(withoutAccents(e.value)).map((t) => t.term) })))}::jsonb)
    as w (id uuid, subject text, type text, normalized text, value text, terms int[])),
  kept as (
    insert into entities as e (tenant_id, id, subject, type, normalized, value, explicit, created_at)
    select current_tenant(), id, subject, type, normalized, value, ${explicit}::boolean, ${now}::timestamptz
    from w order by subject collate "C", type collate "C", normalized collate "C"
    on conflict (tenant_id, subject, type, normalized) ${explicit ? raw('do update set explicit = true where not e.explicit') : raw('do nothing')}
    returning id, subject),
  made as (select k.id, k.subject, w.terms from kept k join w using (id)),
  found_by as (
    insert into entity_terms (tenant_id, term, subject, entity_id)
    select distinct current_tenant(), t.term, subject_number(made.subject), made.id from made cross join unnest(made.terms) t (term))
  select owe('entity', array_agg(id), array_agg(subject), ${now}::timestamptz) from made having count(*) > 0`

/** Mentions and relations of the drafts. An entity that the collector took in this very moment makes the list run again rather than lose a mention. */
export function linkEntities(drafts: readonly Mentioning[]): Statement[] {
  const mentions = drafts.flatMap((d) =>
    d.entities.map((e) => ({
      memory: d.id,
      namespace: d.namespace,
      subject: d.subject,
      type: e.type,
      normalized: e.normalized,
      confidence: e.confidence,
      about: e.about ?? false,
    })),
  )
  const relations = drafts.flatMap((d) =>
    d.relations.map((r) => ({
      memory: d.id,
      namespace: d.namespace,
      subject: d.subject,
      from_type: r.from.type,
      from_name: normalize(r.from.value),
      type: r.type,
      to_type: r.to.type,
      to_name: normalize(r.to.value),
      confidence: r.confidence,
    })),
  )
  return [...(mentions.length === 0 ? [] : [insertMentions(mentions)]), ...(relations.length === 0 ? [] : [insertRelations(relations)])]
}

/**
 * What a name means: the entity of that name, or the one it was merged into, and then by which alias. Kept from the
 * collector and from whoever merges, who locks all names of what he merges. Looked up row by row: a join of a few names
 * read every entity of the tenant.
 */
const entityNamed = (subject: Statement, type: Statement, name: Statement): Statement => sql`
  (select e.tenant_id, coalesce(e.kept_id, e.id) as id, case when e.kept_id is not null then e.id end as alias from entities e
    where e.tenant_id = current_tenant() and e.subject = ${subject} and e.type = ${type} and e.normalized = ${name} offset 0 for key share)`

const insertMentions = (mentions: readonly unknown[]): Statement => sql`
  with w as (select * from jsonb_to_recordset(${json(mentions)}::jsonb) as w (memory uuid, namespace text, subject text, type text, normalized text, confidence float8, about boolean)),
  linked as (
    insert into memory_entities (tenant_id, memory_id, entity_id, alias_id, namespace, confidence, about)
    select e.tenant_id, w.memory, e.id, e.alias, w.namespace, w.confidence, w.about
    from w cross join lateral ${entityNamed(sql`w.subject`, sql`w.type`, sql`w.normalized`)} e
    returning 1)
  select run_again('entity') from (select count(*) as n from linked) c where c.n <> ${mentions.length}`

const insertRelations = (relations: readonly unknown[]): Statement => sql`
  with w as (select * from jsonb_to_recordset(${json(relations)}::jsonb)
    as w (memory uuid, namespace text, subject text, from_type text, from_name text, type text, to_type text, to_name text, confidence float8)),
  linked as (
    insert into relations (tenant_id, memory_id, from_id, from_alias, type, to_id, to_alias, namespace, confidence)
    select f.tenant_id, w.memory, f.id, f.alias, w.type, t.id, t.alias, w.namespace, w.confidence
    from w
    cross join lateral ${entityNamed(sql`w.subject`, sql`w.from_type`, sql`w.from_name`)} f
    cross join lateral ${entityNamed(sql`w.subject`, sql`w.to_type`, sql`w.to_name`)} t
    returning 1)
  select run_again('entity') from (select count(*) as n from linked) c where c.n <> ${relations.length}`

/** Takes mentions and relations of these memories away; entities they leave behind are looked at by the collector. */
export const unlinkEntities = (ids: readonly string[], now: string): Statement => sql`
  with edges as (delete from relations where tenant_id = current_tenant() and memory_id = any(${ids}::uuid[])),
  gone as (delete from memory_entities where tenant_id = current_tenant() and memory_id = any(${ids}::uuid[]) returning entity_id)
  ${markCollectable(sql`select entity_id from gone`, now)}`

export const oweMemories = (ids: readonly string[], now: string): Statement => sql`
  select owe('memory', array_agg(m.id), array_agg(m.subject), ${now}::timestamptz)
  from memories m where m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[]) having count(*) > 0`

export const auditMemories = (action: string, ids: readonly string[], now: string): Statement => sql`
  select audit(${action}, array_agg(m.id), array_agg(m.namespace), array_agg(m.version), ${now}::timestamptz)
  from memories m where m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[]) having count(*) > 0`

/** Enough digits for a float32 to come back as it was. */
export const vectorText = (vector: Float32Array): string => `[${Array.from(vector, (x) => Number(x.toPrecision(9))).join(',')}]`

/** What a version's vector is made from, of `memory` as JSON: versions that agree in it have one vector. */
export const embeddedOf = (memory: string): Statement => raw(`(${memory}->'content', ${memory}->'speaker', ${memory}->'occurredAt')`)
