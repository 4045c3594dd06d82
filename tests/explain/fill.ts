import { createHash } from 'node:crypto'
import { raw, type Statement, sql } from '@twofold/core/sql.ts'
import { terms } from '@twofold/core/text/words.ts'
import type { Preparation } from '@twofold/local/sql/fixture.ts'
import { ensureModel, indexOf } from '@twofold/postgres/ensure-model.ts'
import { asOwner } from '@twofold/postgres/owner.ts'

export const MODEL = 'embedded:minilm-l6-v2-fp16'
export const DIMENSIONS = 384
export const TENANT = '01900000-0000-7000-8000-00000000000f'

/** Words by how common they are: nearly every memory has word 1, hardly any the last. */
export const word = (rank: number): string => `w${rank}x`
const WORDS = 30_000

/** The hash of a key with these grants, which the fill makes. */
export const keyOf = (grants: string): Buffer => createHash('sha256').update(`key ${grants}`).digest()

export interface Filling {
  /** Memories of each subject of the tenant that asks, written by turns as in life. Three in ten lie in `<subject>:notes`. */
  subjects: Record<string, number>
  /** Grants for each of which the tenant has a key. */
  grants: readonly string[]
  /** Tenants beside it, of 20 memories each. */
  others: number
}

/**
 * What a service holds that has been in use: 32 words a memory by Zipf's law, vectors in clusters, four mentions an entity.
 * Whoever asks for the same gets a copy of it.
 */
export function filling(what: Filling): Preparation {
  const statements = [
    raw(`drop index twofold.${indexOf(MODEL)}`),
    // Without triggers: each foreign key checked row by row takes longer than the rows.
    raw(`select set_config('search_path', 'twofold, public', true), set_config('session_replication_role', 'replica', true), setseed(0.5)`),
    ...tenants(what),
    ...plans(what),
    ...memories(),
    ...entities,
    ...sessions,
    ...documents,
    ...projections,
  ]
  return {
    key: JSON.stringify(statements),
    async prepare({ owner }) {
      const ask = asOwner(owner)
      await ask(statements)
      await ensureModel(owner, MODEL, DIMENSIONS)
      await ask([raw('analyze')])
    },
  }
}

const tenants = ({ grants, others }: Filling): Statement[] => [
  sql`insert into tenants (uuid, name, created_at) values (${TENANT}::uuid, 'asking', now())`,
  sql`insert into tenants (uuid, name, created_at) select gen_random_uuid(), 'other ' || i, now() from generate_series(1, ${others}::int) i`,
  sql`insert into api_keys (tenant_id, id, name, hash, scopes, namespaces, created_at)
    select t.id, gen_random_uuid(), 'key', k.hash, '{admin}', array[k.grants], now()
    from tenants t, unnest(${grants}::text[], ${grants.map(keyOf)}::bytea[]) k (grants, hash) where t.uuid = ${TENANT}::uuid`,
  raw(`insert into api_keys (tenant_id, id, name, hash, former_hash, scopes, namespaces, created_at)
    select id, gen_random_uuid(), 'key', sha256((id * 100 + i)::text::bytea), sha256((id * -100 - i)::text::bytea), '{admin}', '{*}', now() from tenants, generate_series(1, 20) i`),
]

const plans = ({ subjects }: Filling): Statement[] => [
  sql`create temp table planned on commit drop as
    select row_number() over (order by turn)::int as i, * from (
      select t.id as tenant_id, s.subject, s.subject || case when random() < 0.3 then ':notes' else '' end as namespace, random() as turn
      from tenants t, jsonb_each_text(${JSON.stringify(subjects)}::jsonb) s (subject, n), generate_series(1, s.n::int) where t.uuid = ${TENANT}::uuid
      union all
      select t.id, 'user:u' || i % 2, 'user:u' || i % 2, random() from tenants t, generate_series(1, 20) i where t.uuid <> ${TENANT}::uuid) p`,
  raw(`alter table planned add id uuid, add at timestamptz, add kind text`),
  raw(`update planned set kind = case when i % 20 = 0 then 'commitment' when i % 200 = 1 then 'decision' else 'note' end, at = '2026-01-01'::timestamptz + i * interval '10 s',
    id = (overlay(overlay(lpad(to_hex(1767225600000 + i * 10000), 12, '0') placing '-' from 9 for 0) placing '-7000-8000-' from 14 for 0) || left(md5(i::text), 12))::uuid`),
  raw('analyze planned'),
]

const memories = (): Statement[] => [
  raw(`insert into memories (tenant_id, id, row, namespace, key, type, kind, content, importance, metadata, tags, entities, relations, occurred_at,
      version, created_by, updated_by, created_at, updated_at, owes_embedding, pending_until, expires_at, session_id, task_id, details)
    overriding system value
    select tenant_id, id, i, namespace, case when i % 3 = 0 then 'key ' || i end, 'semantic', kind, repeat('some words ', 15), 5, '{"source": "chat"}', '{tag}', '[]', '[]', at,
      1, 'maker ' || i % 50, 'maker', at, at, i % 500 = 0, case when i % 1000 = 1 then at end, case when i % 50 = 0 then at + interval '1 year' end, case when i % 4 = 0 then 'session ' || i % 1000 end, case when i % 4 = 0 then 'task ' || i % 500 end,
      case when kind = 'commitment' then jsonb_build_object('title', 'Promise ' || i, 'owner', 'owner ' || i % 7, 'status', case when i % 8 = 0 then 'open' else 'completed' end,
        'dueAt', iso(at)) end
    from planned`),
  raw(`select setval(pg_get_serial_sequence('memories', 'row'), max(row)) from memories`),
  raw(`create temp table word on commit drop as select rank, term from unnest('{${vocabulary()}}'::int[]) with ordinality w (term, rank)`),
  raw('analyze word'),
  raw(`create temp table said on commit drop as
    select p.*, w.terms, w.counts from planned p join (
      select i, array_agg(term) as terms, array_agg(n) as counts from (
        select r.i, w.term, count(*)::int as n
        from (select p.i, floor(exp(random() * ln(${WORDS + 1})))::int as rank from planned p, generate_series(1, 32)) r join word w using (rank)
        group by 1, 2) t
      group by i) w using (i)`),
  raw(`insert into memory_versions (tenant_id, memory_id, version, namespace, action, actor, at, memory, terms, counts, tokenizer, request_hash, idempotency_key)
    select s.tenant_id, s.id, 1, s.namespace, 'memories.add', 'maker', s.at, memory_json(m), s.terms, s.counts, 1, sha256(s.i::text::bytea), 'request ' || s.i
    from said s join memories m on m.tenant_id = s.tenant_id and m.id = s.id`),
  raw(`insert into postings (tenant_id, term, subject, row, count, length)
    select s.tenant_id, t.term, subject_number(s.subject), s.i, t.count, 32 from said s cross join unnest(s.terms, s.counts) t (term, count)`),
  raw(`create temp table centre on commit drop as
    select i, array(select random() - 0.5 + i * 0 from generate_series(1, ${DIMENSIONS}))::vector as v from generate_series(0, 199) i`),
  raw(`create temp table noise on commit drop as
    select i, array(select (random() - 0.5) * 0.65 + i * 0 from generate_series(1, ${DIMENSIONS}))::vector as v from generate_series(0, 1998) i`),
  raw(`insert into embeddings (tenant_id, memory_id, row, model, subject, namespace, type, kind, live, version, embedding)
    select p.tenant_id, p.id, p.i, '${MODEL}', p.subject, p.namespace, 'semantic', p.kind, true, 1, c.v + n.v
    from planned p join centre c on c.i = p.i % 200 join noise n on n.i = (p.i::bigint * 7919) % 1999`),
  raw(`insert into past_embeddings (tenant_id, memory_id, model, version, embedding)
    select tenant_id, memory_id, model, 0, embedding from embeddings where row % 5 = 0`),
]

const sessions = [
  raw(`insert into sessions (tenant_id, id, name, namespace, app_name, user_id, status, state, metadata, created_at, updated_at)
  select t.id, gen_random_uuid(), 'session ' || i, 'user:u' || i % 20, 'app', 'u' || i % 20, 'active', '{}', '{}', now(), now()
  from tenants t, generate_series(0, 999) i where t.uuid = '${TENANT}'`),
  raw(
    `insert into shared_state (tenant_id, namespace, state, updated_at) select t.id, 'user:u' || i, '{}', now() from tenants t, generate_series(0, 999) i`,
  ),
]

/** One of a chunk for every third memory, none of those that have a key. */
const documents = [
  raw(`insert into documents (tenant_id, id, namespace, file_path, path_hash, title, document_type, metadata, content, bytes, content_hash, chunk_count, to_place,
      sync_status, embedding_model, created_by, updated_by, created_at, updated_at)
    select tenant_id, id, namespace, 'file ' || i, encode(sha256(i::text::bytea), 'hex'), 'File ' || i, 'text', '{}', 'some words', 10, '', 1, 0, 'synced', '${MODEL}', 'maker', 'maker', at, at
    from planned where i % 3 = 1 and kind = 'note'`),
  raw(
    `insert into document_chunks (tenant_id, memory_id, document_id, position, hash, label) select tenant_id, id, id, 0, '', '' from documents`,
  ),
]

const vocabulary = () => Array.from({ length: WORDS }, (_, i) => terms(word(i + 1))[0]?.term).join()

const entities = [
  raw(`create temp table named on commit drop as
    select tenant_id, subject, n, gen_random_uuid() as id
    from (select tenant_id, subject, greatest(1, count(*) / 2) as most from planned group by 1, 2) s, generate_series(1, most) n`),
  raw('analyze named'),
  raw(`insert into entities (tenant_id, id, subject, type, normalized, value, created_at)
    select tenant_id, id, subject, 'person', 'name_' || n, 'Name ' || n, now() from named`),
  raw(`insert into entity_terms (tenant_id, term, subject, entity_id)
    select n.tenant_id, w.term, subject_number(n.subject), n.id
    from named n join lateral (values (1 + n.n), (2000 + n.n)) r (rank) on true join word w using (rank)`),
  raw(`create temp table links on commit drop as
    select distinct p.tenant_id, p.id as memory_id, n.id as entity_id, p.namespace
    from (select *, row_number() over (partition by tenant_id, subject) as place, count(*) over (partition by tenant_id, subject) as size from planned) p
    cross join lateral (values (1 + p.place % greatest(1, p.size / 2)), (1 + (p.place * 7) % greatest(1, p.size / 2))) r (n)
    join named n on n.tenant_id = p.tenant_id and n.subject = p.subject and n.n = r.n`),
  raw('analyze links'),
  raw(`insert into memory_entities (tenant_id, memory_id, entity_id, namespace, confidence)
    select tenant_id, memory_id, entity_id, namespace, 0.9 from links`),
  raw(`insert into relations (tenant_id, memory_id, from_id, type, to_id, namespace, confidence)
    select a.tenant_id, a.memory_id, a.entity_id, 'knows', b.entity_id, a.namespace, 0.9
    from links a join links b on b.tenant_id = a.tenant_id and b.memory_id = a.memory_id and b.entity_id > a.entity_id`),
  raw(`insert into twofold.links (tenant_id, id, from_id, type, to_id, subject, properties, created_at, updated_at)
    select a.tenant_id, gen_random_uuid(), a.id, 'precedes', b.id, a.subject, '{}', now(), now()
    from named a join named b on b.tenant_id = a.tenant_id and b.subject = a.subject and b.n = a.n + 1`),
  raw(`insert into collectable (tenant_id, entity_id, since) select tenant_id, id, now() from named where n % 20 = 0`),
]

const projections = [
  raw(`insert into ledger (tenant_id, id, kind, subject, bucket, revision, shown, owed_since)
    select tenant_id, id, kind, subject, bucket_of(id), 1, case when random() < 0.02 then 0 else 1 end, now()
    from (select tenant_id, id, 'memory' as kind, subject from planned union all select tenant_id, id, 'entity', subject from named) l`),
  raw(`update ledger set parked_at = owed_since, failure = 'apply failed' where revision <> shown and random() < 0.1`),
  raw(`insert into drift (tenant_id, id, kind, thing, what, subject, bucket, deep, parked, found_at, repaired_at)
    select tenant_id, gen_random_uuid(), 'missing', id::text, kind, subject, bucket, false, parked_at is not null, now(), case when parked_at is null then now() end
    from ledger where parked_at is not null or random() < 0.1`),
  raw(`insert into graph.nodes (tenant_id, generation, id, kind, subject, revision, bucket, labels, properties, gone_at)
    select tenant_id, 1, id, kind, subject, 1, bucket, '{}', '{}', case when random() < 0.02 then now() end from ledger`),
  raw(`insert into graph.edges (tenant_id, generation, owner, type, from_id, to_id, relation, namespace, confidence)
    select tenant_id, 1, memory_id, 'MENTIONS', memory_id, entity_id, '', namespace, 0.9 from memory_entities
    union all select tenant_id, 1, memory_id, 'RELATES_TO', from_id, to_id, type, namespace, 0.9 from relations
    union all select tenant_id, 1, from_id, 'RELATES_TO', from_id, to_id, type, subject, 1 from twofold.links`),
  raw(`insert into idempotency_keys (tenant_id, key_id, key, part, operation, request_hash, targets, created_at)
    select tenant_id, 'maker ' || i % 50, 'request ' || i, part, 'memories.add', sha256(i::text::bytea), '[]', at from planned, generate_series(0, 2) part`),
]
