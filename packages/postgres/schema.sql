-- Generated from the migrations by `npm run generate`: what they add up to. Never edited by hand.

-- Schemas and extensions

create extension vector with schema public;

create schema graph;

create schema twofold;

-- Tables

create table graph.edges (
  tenant_id integer not null,
  generation integer not null,
  owner uuid not null,
  type text collate "C" not null,
  from_id uuid not null,
  to_id uuid not null,
  relation text collate "C" not null,
  namespace text collate "C" not null,
  confidence double precision not null,
  constraint edges_pkey PRIMARY KEY (tenant_id, owner, generation, type, from_id, to_id, relation)
);

create table graph.nodes (
  tenant_id integer not null,
  generation integer not null,
  id uuid not null,
  kind text not null,
  subject text collate "C" not null,
  revision integer not null,
  bucket smallint not null,
  digest_high integer,
  digest_low integer,
  labels text[] not null,
  properties jsonb not null,
  gone_at timestamp with time zone,
  constraint nodes_pkey PRIMARY KEY (tenant_id, id, generation)
);

create table twofold.api_keys (
  tenant_id integer not null,
  id uuid not null,
  name text not null,
  hash bytea not null,
  former_hash bytea,
  former_until timestamp with time zone,
  scopes text[] not null,
  namespaces text[] not null,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  last_used_at timestamp with time zone,
  constraint api_keys_pkey PRIMARY KEY (id),
  constraint api_keys_former_hash_key UNIQUE (former_hash),
  constraint api_keys_hash_key UNIQUE (hash),
  constraint api_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.archived_events (
  tenant_id integer not null,
  session_id uuid not null,
  last_seq integer not null,
  tasks text[] not null,
  events json not null,
  constraint archived_events_pkey PRIMARY KEY (tenant_id, session_id, last_seq),
  constraint archived_events_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES twofold.sessions(tenant_id, id) ON DELETE CASCADE
);

create table twofold.audit_log (
  tenant_id integer not null,
  id bigint generated always as identity not null,
  at timestamp with time zone not null,
  actor text not null,
  on_behalf_of text,
  request_id text,
  action text not null,
  target uuid,
  namespace text collate "C" not null,
  version integer,
  outcome text default 'ok'::text not null,
  constraint audit_log_pkey PRIMARY KEY (tenant_id, id),
  constraint audit_log_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.collectable (
  tenant_id integer not null,
  entity_id uuid not null,
  since timestamp with time zone not null,
  constraint collectable_pkey PRIMARY KEY (tenant_id, entity_id)
);

create table twofold.consolidations (
  tenant_id integer not null,
  namespace text collate "C" not null,
  strategy text not null,
  every_hours integer not null,
  due_at timestamp with time zone not null,
  after_id uuid,
  updated_by text not null,
  updated_at timestamp with time zone not null,
  constraint consolidations_pkey PRIMARY KEY (tenant_id, namespace),
  constraint consolidations_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.conversations (
  tenant_id integer not null,
  id uuid not null,
  name text collate "C" not null,
  namespace text collate "C" not null,
  subject text collate "C" generated always as (twofold.subject_of(namespace)) stored not null,
  user_id text,
  ttl_hours double precision,
  written integer not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  last_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  constraint conversations_pkey PRIMARY KEY (tenant_id, id),
  constraint conversations_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.document_chunks (
  tenant_id integer not null,
  memory_id uuid not null,
  document_id uuid not null,
  "position" integer,
  hash text collate "C" not null,
  label text collate "C" not null,
  constraint document_chunks_pkey PRIMARY KEY (tenant_id, memory_id),
  constraint document_chunks_tenant_id_document_id_fkey FOREIGN KEY (tenant_id, document_id) REFERENCES twofold.documents(tenant_id, id) ON DELETE CASCADE,
  constraint document_chunks_tenant_id_memory_id_fkey FOREIGN KEY (tenant_id, memory_id) REFERENCES twofold.memories(tenant_id, id) ON DELETE CASCADE
);

create table twofold.documents (
  tenant_id integer not null,
  id uuid not null,
  namespace text collate "C" not null,
  subject text collate "C" generated always as (twofold.subject_of(namespace)) stored not null,
  file_path text not null,
  path_hash text collate "C" not null,
  title text not null,
  document_type text collate "C" not null,
  metadata jsonb not null,
  content text not null,
  bytes integer not null,
  content_hash text collate "C" not null,
  chunk_count integer not null,
  to_place integer not null,
  sync_status text collate "C" not null,
  failure text,
  attempts integer default 0 not null,
  due_at timestamp with time zone,
  embedding_model text collate "C" not null,
  last_synced_at timestamp with time zone,
  version integer default 1 not null,
  created_by text not null,
  updated_by text not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  removed_at timestamp with time zone,
  constraint documents_pkey PRIMARY KEY (tenant_id, id),
  constraint documents_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.drift (
  tenant_id integer not null,
  id uuid not null,
  run_id uuid,
  kind text not null,
  thing text collate "C" not null,
  what text not null,
  subject text collate "C",
  bucket integer not null,
  deep boolean not null,
  found_at timestamp with time zone not null,
  repaired_at timestamp with time zone,
  parked boolean default false not null,
  constraint drift_pkey PRIMARY KEY (tenant_id, id),
  constraint drift_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.embeddings (
  tenant_id integer not null,
  memory_id uuid not null,
  "row" bigint not null,
  model text collate "C" not null,
  subject text collate "C" not null,
  namespace text collate "C" not null,
  type text not null,
  kind text not null,
  live boolean not null,
  version integer not null,
  embedding vector not null,
  constraint embeddings_pkey PRIMARY KEY (tenant_id, memory_id, model),
  constraint embeddings_tenant_id_memory_id_fkey FOREIGN KEY (tenant_id, memory_id) REFERENCES twofold.memories(tenant_id, id) ON DELETE CASCADE
);

create table twofold.entities (
  tenant_id integer not null,
  id uuid not null,
  subject text collate "C" not null,
  type text not null,
  normalized text collate "C" not null,
  value text not null,
  explicit boolean default false not null,
  created_at timestamp with time zone not null,
  merged_into uuid,
  kept_id uuid,
  constraint entities_pkey PRIMARY KEY (tenant_id, id),
  constraint entities_kept FOREIGN KEY (tenant_id, kept_id) REFERENCES twofold.entities(tenant_id, id) ON DELETE CASCADE,
  constraint entities_merged_into FOREIGN KEY (tenant_id, merged_into) REFERENCES twofold.entities(tenant_id, id) ON DELETE CASCADE,
  constraint entities_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.entity_terms (
  tenant_id integer not null,
  term integer not null,
  subject integer not null,
  entity_id uuid not null,
  constraint entity_terms_pkey PRIMARY KEY (tenant_id, term, subject, entity_id),
  constraint entity_terms_tenant_id_entity_id_fkey FOREIGN KEY (tenant_id, entity_id) REFERENCES twofold.entities(tenant_id, id) ON DELETE CASCADE
);

create table twofold.graph_generations (
  tenant_id integer not null,
  generation integer not null,
  state text not null,
  since timestamp with time zone not null,
  constraint graph_generations_pkey PRIMARY KEY (tenant_id, generation),
  constraint graph_generations_state_check CHECK ((state = ANY (ARRAY['filling'::text, 'retired'::text, 'dropped'::text]))),
  constraint graph_generations_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.heard (
  tenant_id integer not null,
  namespace text collate "C" not null,
  hash bytea not null,
  n smallint not null,
  memory_id uuid,
  constraint heard_pkey PRIMARY KEY (tenant_id, namespace, hash, n),
  constraint heard_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE,
  constraint heard_tenant_id_memory_id_fkey FOREIGN KEY (tenant_id, memory_id) REFERENCES twofold.memories(tenant_id, id) ON DELETE CASCADE
);

create table twofold.idempotency_keys (
  tenant_id integer not null,
  key_id text not null,
  key text not null,
  part integer not null,
  operation text not null,
  request_hash bytea,
  targets jsonb not null,
  created_at timestamp with time zone not null,
  target text generated always as (((targets -> 0) ->> 'id'::text)) stored,
  constraint idempotency_keys_pkey PRIMARY KEY (tenant_id, key_id, key, part),
  constraint idempotency_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.ledger (
  tenant_id integer not null,
  id uuid not null,
  kind text not null,
  subject text collate "C" not null,
  bucket smallint not null,
  revision integer not null,
  shown integer default 0 not null,
  shown_version integer,
  shown_at timestamp with time zone,
  digest_high integer,
  digest_low integer,
  owed_since timestamp with time zone not null,
  lease uuid,
  leased_until timestamp with time zone,
  attempts integer default 0 not null,
  not_before timestamp with time zone,
  parked_at timestamp with time zone,
  failure text,
  tombstone_at timestamp with time zone,
  degree integer,
  constraint ledger_pkey PRIMARY KEY (tenant_id, id),
  constraint ledger_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.links (
  tenant_id integer not null,
  id uuid not null,
  from_id uuid not null,
  type text collate "C" not null,
  to_id uuid not null,
  subject text collate "C" not null,
  properties jsonb not null,
  confidence double precision generated always as (COALESCE(((properties -> 'confidence'::text))::double precision, (1)::double precision)) stored not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  from_alias uuid,
  to_alias uuid,
  constraint links_by_ends UNIQUE NULLS NOT DISTINCT (tenant_id, from_id, type, to_id, from_alias, to_alias),
  constraint links_tenant_id_from_id_fkey FOREIGN KEY (tenant_id, from_id) REFERENCES twofold.entities(tenant_id, id),
  constraint links_tenant_id_to_id_fkey FOREIGN KEY (tenant_id, to_id) REFERENCES twofold.entities(tenant_id, id)
);

create table twofold.memories (
  tenant_id integer not null,
  id uuid not null,
  "row" bigint generated always as identity not null,
  namespace text collate "C" not null,
  subject text collate "C" generated always as (twofold.subject_of(namespace)) stored not null,
  key text,
  type text not null,
  kind text not null,
  content text not null,
  value jsonb,
  summary text,
  importance double precision not null,
  metadata jsonb not null,
  tags text[] not null,
  entities jsonb not null,
  relations jsonb not null,
  conversation_id text,
  session_id text,
  task_id text,
  speaker text,
  occurred_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  version integer not null,
  created_by text not null,
  updated_by text not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  deleted_at timestamp with time zone,
  pending_until timestamp with time zone,
  owes_embedding boolean default false not null,
  owes_entities boolean default false not null,
  details jsonb,
  status text collate "C" generated always as (
CASE
    WHEN (kind = 'commitment'::text) THEN COALESCE((details ->> 'status'::text), 'open'::text)
    ELSE NULL::text
END) stored,
  due_at text collate "C" generated always as ((details ->> 'dueAt'::text)) stored,
  fades_at timestamp with time zone,
  ends_at timestamp with time zone generated always as (LEAST(expires_at, fades_at)) stored,
  superseded_by uuid,
  constraint memories_pkey PRIMARY KEY (tenant_id, id),
  constraint memories_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE,
  constraint superseded_by_memory FOREIGN KEY (tenant_id, superseded_by) REFERENCES twofold.memories(tenant_id, id) ON DELETE SET NULL (superseded_by),
  constraint superseded_is_deleted CHECK (((superseded_by IS NULL) OR ((deleted_at IS NOT NULL) AND (superseded_by <> id))))
);

create table twofold.memory_entities (
  tenant_id integer not null,
  memory_id uuid not null,
  entity_id uuid not null,
  namespace text collate "C" not null,
  confidence double precision not null,
  about boolean default false not null,
  alias_id uuid,
  constraint memory_entities_by_memory UNIQUE NULLS NOT DISTINCT (tenant_id, memory_id, entity_id, alias_id),
  constraint memory_entities_tenant_id_entity_id_fkey FOREIGN KEY (tenant_id, entity_id) REFERENCES twofold.entities(tenant_id, id),
  constraint memory_entities_tenant_id_memory_id_fkey FOREIGN KEY (tenant_id, memory_id) REFERENCES twofold.memories(tenant_id, id) ON DELETE CASCADE
);

create table twofold.memory_versions (
  tenant_id integer not null,
  memory_id uuid not null,
  version integer not null,
  namespace text collate "C" not null,
  action text not null,
  reason text,
  actor text not null,
  on_behalf_of text,
  request_id text,
  at timestamp with time zone not null,
  memory jsonb not null,
  terms integer[] not null,
  counts integer[] not null,
  tokenizer smallint not null,
  request_hash bytea,
  idempotency_key text,
  ended_at timestamp with time zone,
  constraint memory_versions_pkey PRIMARY KEY (tenant_id, memory_id, version),
  constraint memory_versions_tenant_id_memory_id_fkey FOREIGN KEY (tenant_id, memory_id) REFERENCES twofold.memories(tenant_id, id) ON DELETE CASCADE
);

create table twofold.migrations (
  number integer not null,
  name text not null,
  sha256 text not null,
  applied_at timestamp with time zone default now() not null,
  constraint migrations_pkey PRIMARY KEY (number)
);

create table twofold.namespace_policies (
  tenant_id integer not null,
  namespace text collate "C" not null,
  subject text collate "C" generated always as (twofold.subject_of(namespace)) stored not null,
  keep_versions integer,
  daily_versions_after_days integer,
  episodic_days integer,
  temp_hours integer not null,
  updated_by text not null,
  updated_at timestamp with time zone not null,
  squash_after_namespace text collate "C" not null,
  squash_after_id uuid not null,
  squash_at timestamp with time zone,
  constraint namespace_policies_pkey PRIMARY KEY (tenant_id, namespace),
  constraint namespace_policies_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.past_embeddings (
  tenant_id integer not null,
  memory_id uuid not null,
  model text collate "C" not null,
  version integer not null,
  embedding vector not null,
  constraint past_embeddings_pkey PRIMARY KEY (tenant_id, memory_id, model, version),
  constraint past_embeddings_tenant_id_memory_id_fkey FOREIGN KEY (tenant_id, memory_id) REFERENCES twofold.memories(tenant_id, id) ON DELETE CASCADE
);

create table twofold.policy_changes (
  tenant_id integer not null,
  namespace text collate "C" not null,
  subject text collate "C" generated always as (twofold.subject_of(namespace)) stored not null,
  after_namespace text collate "C" not null,
  after_id uuid not null,
  since timestamp with time zone not null,
  constraint policy_changes_pkey PRIMARY KEY (tenant_id, namespace),
  constraint policy_changes_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.postings (
  tenant_id integer not null,
  term integer not null,
  subject integer not null,
  "row" bigint not null,
  count integer not null,
  length integer not null,
  constraint postings_pkey PRIMARY KEY (tenant_id, term, subject, "row") INCLUDE (count, length)
);

create table twofold.relations (
  tenant_id integer not null,
  memory_id uuid not null,
  from_id uuid not null,
  type text collate "C" not null,
  to_id uuid not null,
  namespace text collate "C" not null,
  confidence double precision not null,
  from_alias uuid,
  to_alias uuid,
  constraint relations_by_memory UNIQUE NULLS NOT DISTINCT (tenant_id, memory_id, from_id, type, to_id, from_alias, to_alias),
  constraint relations_tenant_id_from_id_fkey FOREIGN KEY (tenant_id, from_id) REFERENCES twofold.entities(tenant_id, id),
  constraint relations_tenant_id_memory_id_fkey FOREIGN KEY (tenant_id, memory_id) REFERENCES twofold.memories(tenant_id, id) ON DELETE CASCADE,
  constraint relations_tenant_id_to_id_fkey FOREIGN KEY (tenant_id, to_id) REFERENCES twofold.entities(tenant_id, id)
);

create table twofold.schedules (
  name text collate "C" not null,
  holder uuid,
  held_until timestamp with time zone,
  begun_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  failed_at timestamp with time zone,
  failure text,
  constraint schedules_pkey PRIMARY KEY (name)
);

create table twofold.session_events (
  tenant_id integer not null,
  session_id uuid not null,
  seq integer not null,
  event json not null,
  bytes integer not null,
  task_id text,
  created_at timestamp with time zone not null,
  constraint session_events_pkey PRIMARY KEY (tenant_id, session_id, seq),
  constraint session_events_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES twofold.sessions(tenant_id, id) ON DELETE CASCADE
);

create table twofold.sessions (
  tenant_id integer not null,
  id uuid not null,
  name text collate "C" not null,
  namespace text collate "C" not null,
  subject text collate "C" generated always as (twofold.subject_of(namespace)) stored not null,
  app_name text not null,
  user_id text,
  project_id text,
  status text not null,
  state jsonb not null,
  metadata jsonb not null,
  last_seq integer default 0 not null,
  version integer default 1 not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  terminated_at timestamp with time zone,
  archived_at timestamp with time zone,
  archived_seq integer default 0 not null,
  app_namespace text collate "C" generated always as (('app:'::text || app_name)) stored not null,
  constraint sessions_pkey PRIMARY KEY (tenant_id, id),
  constraint sessions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.shared_state (
  tenant_id integer not null,
  namespace text collate "C" not null,
  state jsonb not null,
  version integer default 1 not null,
  updated_at timestamp with time zone not null,
  constraint shared_state_pkey PRIMARY KEY (tenant_id, namespace),
  constraint shared_state_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.sync_runs (
  tenant_id integer not null,
  id uuid not null,
  operation text not null,
  options jsonb not null,
  phase text,
  cursor text,
  checked integer default 0 not null,
  found integer default 0 not null,
  repaired integer default 0 not null,
  failed integer default 0 not null,
  started_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  prefixes text[] default '{*}'::text[] not null,
  asked_by text,
  exclusive boolean default false not null,
  phase_since timestamp with time zone,
  done integer default 0 not null,
  total integer default 0 not null,
  owed integer default 0 not null,
  listed jsonb default '[]'::jsonb not null,
  generation integer,
  lease uuid,
  leased_until timestamp with time zone,
  failures integer default 0 not null,
  failure text,
  stop_asked boolean default false not null,
  outcome text,
  constraint sync_runs_pkey PRIMARY KEY (tenant_id, id),
  constraint sync_runs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES twofold.tenants(id) ON DELETE CASCADE
);

create table twofold.tenants (
  id integer generated always as identity not null,
  uuid uuid not null,
  name text not null,
  created_at timestamp with time zone not null,
  suspended_at timestamp with time zone,
  graph_generation integer default 1 not null,
  graph_epoch integer default 1 not null,
  graph_generations_made integer default 1 not null,
  placement text collate "C" default 'home'::text not null,
  constraint tenants_pkey PRIMARY KEY (id),
  constraint tenants_name_key UNIQUE (name),
  constraint tenants_placement_check CHECK ((placement ~ '^[a-z][a-z0-9-]{0,30}$'::text)),
  constraint tenants_uuid_key UNIQUE (uuid)
);

create table twofold.turns (
  tenant_id integer not null,
  id uuid not null,
  conversation_id uuid not null,
  query text not null,
  answer text not null,
  at timestamp with time zone not null,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  memory_id uuid,
  actor text not null,
  idempotency_key text,
  constraint turns_pkey PRIMARY KEY (tenant_id, id),
  constraint turns_tenant_id_conversation_id_fkey FOREIGN KEY (tenant_id, conversation_id) REFERENCES twofold.conversations(tenant_id, id) ON DELETE CASCADE
);

-- Indexes

CREATE INDEX edges_by_from ON graph.edges USING btree (tenant_id, from_id, generation);

CREATE INDEX edges_by_to ON graph.edges USING btree (tenant_id, to_id, generation);

CREATE INDEX nodes_by_bucket ON graph.nodes USING btree (bucket, tenant_id, generation);

CREATE INDEX nodes_gone ON graph.nodes USING btree (tenant_id, generation, gone_at) WHERE (gone_at IS NOT NULL);

CREATE INDEX api_keys_by_tenant ON twofold.api_keys USING btree (tenant_id, id);

CREATE INDEX audit_log_by_action ON twofold.audit_log USING btree (tenant_id, action, at, id);

CREATE INDEX audit_log_by_actor ON twofold.audit_log USING btree (tenant_id, actor, at, id);

CREATE INDEX audit_log_by_behalf ON twofold.audit_log USING btree (tenant_id, on_behalf_of, at, id) WHERE (on_behalf_of IS NOT NULL);

CREATE INDEX audit_log_by_namespace ON twofold.audit_log USING btree (tenant_id, namespace, at, id);

CREATE INDEX audit_log_by_target ON twofold.audit_log USING btree (tenant_id, target, at, id);

CREATE INDEX audit_log_by_time ON twofold.audit_log USING btree (tenant_id, at, id);

CREATE INDEX commitments_by_status ON twofold.memories USING btree (tenant_id, status, namespace, id) WHERE ((kind = 'commitment'::text) AND (deleted_at IS NULL));

CREATE INDEX consolidations_due ON twofold.consolidations USING btree (tenant_id, due_at);

CREATE INDEX conversations_by_last ON twofold.conversations USING btree (tenant_id, last_at);

CREATE UNIQUE INDEX conversations_by_name ON twofold.conversations USING btree (tenant_id, name);

CREATE INDEX conversations_by_namespace ON twofold.conversations USING btree (tenant_id, namespace, id);

CREATE INDEX conversations_expiring ON twofold.conversations USING btree (tenant_id, expires_at);

CREATE INDEX document_chunks_by_position ON twofold.document_chunks USING btree (tenant_id, document_id, "position");

CREATE INDEX documents_by_hash ON twofold.documents USING btree (tenant_id, content_hash, id) WHERE (removed_at IS NULL);

CREATE UNIQUE INDEX documents_by_path ON twofold.documents USING btree (tenant_id, namespace, path_hash) WHERE (removed_at IS NULL);

CREATE INDEX documents_by_status ON twofold.documents USING btree (tenant_id, sync_status, embedding_model, id) WHERE (removed_at IS NULL);

CREATE INDEX documents_by_type ON twofold.documents USING btree (tenant_id, document_type, id) WHERE (removed_at IS NULL);

CREATE INDEX documents_by_update ON twofold.documents USING btree (tenant_id, updated_at, id) WHERE (removed_at IS NULL);

CREATE INDEX documents_due ON twofold.documents USING btree (tenant_id, due_at) WHERE (due_at IS NOT NULL);

CREATE UNIQUE INDEX drift_open ON twofold.drift USING btree (tenant_id, kind, thing, what) WHERE (repaired_at IS NULL);

CREATE INDEX drift_parked ON twofold.drift USING btree (tenant_id, thing) WHERE (parked AND (repaired_at IS NULL));

CREATE INDEX drift_repaired ON twofold.drift USING btree (tenant_id, repaired_at) WHERE (repaired_at IS NOT NULL);

CREATE INDEX embeddings_by_subject ON twofold.embeddings USING btree (tenant_id, model, subject) WHERE live;

CREATE INDEX entities_by_kept ON twofold.entities USING btree (tenant_id, kept_id) WHERE (kept_id IS NOT NULL);

CREATE INDEX entities_by_merger ON twofold.entities USING btree (tenant_id, merged_into) WHERE (merged_into IS NOT NULL);

CREATE UNIQUE INDEX entities_by_name ON twofold.entities USING btree (tenant_id, subject, type, normalized);

CREATE INDEX entities_by_spelling ON twofold.entities USING btree (tenant_id, normalized, type);

CREATE INDEX entity_terms_by_entity ON twofold.entity_terms USING btree (tenant_id, entity_id);

CREATE UNIQUE INDEX graph_generations_filling ON twofold.graph_generations USING btree (tenant_id) WHERE (state = 'filling'::text);

CREATE INDEX graph_generations_retired ON twofold.graph_generations USING btree (since) WHERE (state = 'retired'::text);

CREATE INDEX heard_by_memory ON twofold.heard USING btree (memory_id, tenant_id);

CREATE INDEX idempotency_keys_by_age ON twofold.idempotency_keys USING btree (tenant_id, created_at);

CREATE INDEX idempotency_keys_by_session ON twofold.idempotency_keys USING btree (tenant_id, target) WHERE starts_with(operation, 'sessions.'::text);

CREATE INDEX ledger_by_bucket ON twofold.ledger USING btree (bucket, tenant_id);

CREATE INDEX ledger_by_shown ON twofold.ledger USING btree (shown_at, tenant_id);

CREATE INDEX ledger_leased ON twofold.ledger USING btree (tenant_id, lease) WHERE (lease IS NOT NULL);

CREATE INDEX ledger_owed ON twofold.ledger USING btree (tenant_id, owed_since) WHERE (revision <> shown);

CREATE INDEX ledger_owed_by_subject ON twofold.ledger USING btree (tenant_id, subject, owed_since) WHERE (revision <> shown);

CREATE INDEX ledger_parked ON twofold.ledger USING btree (tenant_id, parked_at) WHERE (parked_at IS NOT NULL);

CREATE INDEX ledger_tombstones ON twofold.ledger USING btree (tenant_id, tombstone_at) WHERE (tombstone_at IS NOT NULL);

CREATE INDEX links_by_from_alias ON twofold.links USING btree (tenant_id, from_alias) WHERE (from_alias IS NOT NULL);

CREATE INDEX links_by_to ON twofold.links USING btree (tenant_id, to_id);

CREATE INDEX links_by_to_alias ON twofold.links USING btree (tenant_id, to_alias) WHERE (to_alias IS NOT NULL);

CREATE INDEX memories_by_change ON twofold.memories USING btree (tenant_id, namespace, updated_at) WHERE (deleted_at IS NULL);

CREATE INDEX memories_by_creator ON twofold.memories USING btree (tenant_id, created_by, id);

CREATE INDEX memories_by_former_key ON twofold.memories USING btree (tenant_id, namespace, key, deleted_at) INCLUDE (id, pending_until) WHERE ((key IS NOT NULL) AND (deleted_at IS NOT NULL));

CREATE UNIQUE INDEX memories_by_key ON twofold.memories USING btree (tenant_id, namespace, key) INCLUDE (id, version, pending_until) WHERE ((key IS NOT NULL) AND (deleted_at IS NULL));

CREATE INDEX memories_by_kind ON twofold.memories USING btree (tenant_id, kind, namespace, id) WHERE ((kind <> 'note'::text) AND (deleted_at IS NULL));

CREATE INDEX memories_by_namespace ON twofold.memories USING btree (tenant_id, namespace, id);

CREATE UNIQUE INDEX memories_by_row ON twofold.memories USING btree (tenant_id, "row");

CREATE INDEX memories_by_session ON twofold.memories USING btree (tenant_id, session_id, id) WHERE (session_id IS NOT NULL);

CREATE INDEX memories_by_superseder ON twofold.memories USING btree (tenant_id, superseded_by) WHERE (superseded_by IS NOT NULL);

CREATE INDEX memories_by_task ON twofold.memories USING btree (tenant_id, task_id, id) WHERE (task_id IS NOT NULL);

CREATE INDEX memories_by_type ON twofold.memories USING btree (tenant_id, type, updated_at, id);

CREATE INDEX memories_by_update ON twofold.memories USING btree (tenant_id, updated_at, id);

CREATE INDEX memories_expiring ON twofold.memories USING btree (tenant_id, ends_at) WHERE ((ends_at IS NOT NULL) AND (deleted_at IS NULL));

CREATE INDEX memories_live ON twofold.memories USING btree (tenant_id, namespace, type, id) INCLUDE (pending_until, ends_at) WHERE (deleted_at IS NULL);

CREATE INDEX memories_owing_models ON twofold.memories USING btree (tenant_id, id) WHERE ((owes_embedding OR owes_entities) AND (deleted_at IS NULL));

CREATE INDEX memories_pending ON twofold.memories USING btree (tenant_id, pending_until) WHERE (pending_until IS NOT NULL);

CREATE INDEX memory_entities_by_alias ON twofold.memory_entities USING btree (tenant_id, alias_id) WHERE (alias_id IS NOT NULL);

CREATE INDEX memory_entities_by_entity ON twofold.memory_entities USING btree (tenant_id, entity_id, memory_id);

CREATE INDEX memory_versions_by_time ON twofold.memory_versions USING btree (tenant_id, namespace, at);

CREATE INDEX namespace_policies_to_squash ON twofold.namespace_policies USING btree (tenant_id, squash_at) WHERE (squash_at IS NOT NULL);

CREATE INDEX relations_by_from ON twofold.relations USING btree (tenant_id, from_id);

CREATE INDEX relations_by_from_alias ON twofold.relations USING btree (tenant_id, from_alias) WHERE (from_alias IS NOT NULL);

CREATE INDEX relations_by_to ON twofold.relations USING btree (tenant_id, to_id);

CREATE INDEX relations_by_to_alias ON twofold.relations USING btree (tenant_id, to_alias) WHERE (to_alias IS NOT NULL);

CREATE INDEX sessions_by_app_and_user ON twofold.sessions USING btree (tenant_id, app_name, user_id, id);

CREATE UNIQUE INDEX sessions_by_name ON twofold.sessions USING btree (tenant_id, name);

CREATE INDEX sessions_by_project ON twofold.sessions USING btree (tenant_id, project_id, id) WHERE (project_id IS NOT NULL);

CREATE INDEX sessions_by_status ON twofold.sessions USING btree (tenant_id, status, id);

CREATE INDEX sessions_by_status_and_update ON twofold.sessions USING btree (tenant_id, status, updated_at, id);

CREATE INDEX sessions_by_user ON twofold.sessions USING btree (tenant_id, namespace, id);

CREATE INDEX sync_runs_by_time ON twofold.sync_runs USING btree (tenant_id, started_at);

CREATE UNIQUE INDEX sync_runs_exclusive ON twofold.sync_runs USING btree (tenant_id) WHERE (exclusive AND (ended_at IS NULL));

CREATE INDEX sync_runs_last ON twofold.sync_runs USING btree (tenant_id, operation, started_at);

CREATE INDEX sync_runs_open ON twofold.sync_runs USING btree (tenant_id, started_at) WHERE (ended_at IS NULL);

CREATE INDEX turns_by_time ON twofold.turns USING btree (tenant_id, conversation_id, at, id) INCLUDE (expires_at);

CREATE INDEX turns_expiring ON twofold.turns USING btree (tenant_id, expires_at);

-- Views

create view twofold.readable_memories with (security_invoker=true) as
 SELECT tenant_id,
    id,
    "row",
    namespace,
    subject,
    key,
    type,
    kind,
    content,
    value,
    summary,
    importance,
    metadata,
    tags,
    entities,
    relations,
    conversation_id,
    session_id,
    task_id,
    speaker,
    occurred_at,
    expires_at,
    version,
    created_by,
    updated_by,
    created_at,
    updated_at,
    deleted_at,
    pending_until,
    owes_embedding,
    owes_entities,
    details,
    status,
    due_at,
    fades_at,
    ends_at,
    twofold.memory_json(m.*) AS "json"
   FROM twofold.memories m
  WHERE (pending_until IS NULL);

-- Functions

CREATE OR REPLACE FUNCTION twofold.abandon_generation(filled integer, at timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
begin
  perform from tenants t where t.id = current_tenant() for update;
  update graph_generations set state = 'retired', since = at where tenant_id = current_tenant() and generation = filled and state = 'filling';
  if found then update tenants set graph_epoch = graph_epoch + 1 where id = current_tenant(); end if;
end $function$
;

CREATE OR REPLACE FUNCTION twofold.act_for(tenant uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
declare
  number int;
  place text;
begin
  select t.id, t.placement into number, place from tenants t where t.uuid = tenant;
  if number is null then
    perform refuse('not_found', 'There is no such tenant.');
  end if;
  perform must_live_here(place);
  perform set_config('twofold.tenant', number::text, true), set_config('twofold.actor', '', true),
    set_config('twofold.lows', '{""}', true), set_config('twofold.highs', array[U&'\+10FFFF']::text, true),
    set_config('twofold.request', '', true), set_config('twofold.behalf', '', true);
end $function$
;

CREATE OR REPLACE FUNCTION twofold.act_for_source(named text, source text, scope text, request_id text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
declare
  holder record;
begin
  select t.* into holder from tenants t
  where case when named ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then t.uuid::text = named else t.name = named end;
  if not found then
    perform refuse('not_found', 'There is no such tenant.');
  end if;
  perform must_live_here(holder.placement);
  if holder.suspended_at is not null then
    perform refuse('forbidden', 'The tenant is suspended.');
  end if;
  perform set_config('twofold.tenant', holder.id::text, true), set_config('twofold.actor', 'queue:' || source, true),
    set_config('twofold.lows', '{""}', true), set_config('twofold.highs', array[U&'\+10FFFF']::text, true),
    set_config('twofold.request', coalesce(request_id, ''), true), set_config('twofold.behalf', '', true);
  return jsonb_build_object('tenant', holder.uuid, 'keyId', '00000000-0000-0000-0000-000000000000', 'scopes', array[scope], 'grants', array['*']);
end $function$
;

CREATE OR REPLACE FUNCTION twofold.ancestors_of(namespace text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  select array_agg(array_to_string(s.parts[1:n], ':')) from (select string_to_array(namespace, ':') as parts) s, generate_series(1, cardinality(s.parts)) n
$function$
;

CREATE OR REPLACE FUNCTION twofold.archive_events(session uuid, until integer, most integer)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
  moved int;
begin
  with old as (
    select e.*, sum(e.bytes) over (order by e.seq) - e.bytes as before
    from twofold.session_events e where e.tenant_id = twofold.current_tenant() and e.session_id = session and e.seq <= until)
  insert into twofold.archived_events as a (tenant_id, session_id, last_seq, tasks, events)
  select tenant_id, session_id, max(seq), coalesce(array_agg(distinct task_id) filter (where task_id is not null), '{}'),
    json_agg(json_build_object('seq', seq, 'event', event, 'bytes', bytes, 'task_id', task_id, 'created_at', created_at) order by seq)
  from old where before < most group by tenant_id, session_id
  returning a.last_seq into moved;
  delete from twofold.session_events e where e.tenant_id = twofold.current_tenant() and e.session_id = session and e.seq <= moved;
  update twofold.sessions s set archived_seq = moved where s.tenant_id = twofold.current_tenant() and s.id = session;
end $function$
;

CREATE OR REPLACE FUNCTION twofold.audit(act text, targets uuid[], namespaces text[], versions integer[], at timestamp with time zone)
 RETURNS void
 LANGUAGE sql
AS $function$
  insert into twofold.audit_log (tenant_id, at, actor, on_behalf_of, request_id, action, target, namespace, version)
  select twofold.current_tenant(), at, twofold.current_actor(), nullif(current_setting('twofold.behalf', true), ''),
    nullif(current_setting('twofold.request', true), ''), act, t.target, coalesce(t.namespace, ''), t.version
  from unnest(targets, namespaces, versions) t (target, namespace, version)
$function$
;

CREATE OR REPLACE FUNCTION twofold.authorize(key_hash bytea, wanted_scope text, wanted_lows text[], wanted_highs text[], at timestamp with time zone, request_id text, on_behalf_of text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
declare
  holder record;
  lows text[];
  highs text[];
begin
  select k.*, t.uuid, t.suspended_at, t.placement into holder
  from api_keys k join tenants t on t.id = k.tenant_id
  where (k.hash = key_hash or (k.former_hash = key_hash and k.former_until > at))
    and k.revoked_at is null and (k.expires_at is null or k.expires_at > at);
  if not found then
    perform refuse('unauthenticated', 'The API key is unknown, revoked or expired.');
  end if;
  perform must_live_here(holder.placement);
  if holder.suspended_at is not null then
    perform refuse('forbidden', 'The tenant of this key is suspended.');
  end if;
  if wanted_scope is not null and not (wanted_scope = any (holder.scopes) or 'admin' = any (holder.scopes)) then
    perform refuse('forbidden', format('The key lacks the scope %s.', wanted_scope), jsonb_build_object('scope', wanted_scope));
  end if;
  select array_agg(r.low), array_agg(r.high) into lows, highs from ranges_of(holder.namespaces) r;
  if exists (
    select from unnest(wanted_lows, wanted_highs) w (low, high)
    where not exists (
      select from unnest(lows, highs) g (low, high)
      where w.low >= g.low collate "C" and w.high <= g.high collate "C")
  ) then
    perform refuse('forbidden', 'The key has no grant for this namespace.');
  end if;
  perform set_config('twofold.tenant', holder.tenant_id::text, true),
    set_config('twofold.actor', holder.id::text, true),
    set_config('twofold.lows', lows::text, true), set_config('twofold.highs', highs::text, true),
    set_config('twofold.request', coalesce(request_id, ''), true), set_config('twofold.behalf', coalesce(on_behalf_of, ''), true);
  return jsonb_build_object('tenant', holder.uuid, 'keyId', holder.id, 'scopes', holder.scopes, 'grants', holder.namespaces);
end $function$
;

CREATE OR REPLACE FUNCTION twofold.begin_generation(run uuid, at timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
declare made int;
begin
  select r.generation into made from sync_runs r where r.tenant_id = current_tenant() and r.id = run and r.ended_at is null for update;
  if not found or made is not null then return made; end if;
  if exists (select from graph_generations g where g.tenant_id = current_tenant() and g.state = 'filling') then return null; end if;
  update tenants set graph_epoch = graph_epoch + 1, graph_generations_made = graph_generations_made + 1
    where id = current_tenant() returning graph_generations_made into made;
  insert into graph_generations (tenant_id, generation, state, since) values (current_tenant(), made, 'filling', at);
  update sync_runs set generation = made where tenant_id = current_tenant() and id = run;
  return made;
end $function$
;

CREATE OR REPLACE FUNCTION twofold.begin_schedule(schedule text, round uuid, at timestamp with time zone, until timestamp with time zone, due timestamp with time zone)
 RETURNS boolean
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
  with taken as (
    insert into schedules as s (name, holder, held_until, begun_at) values (schedule, round, until, at)
    on conflict (name) do update set holder = excluded.holder, held_until = excluded.held_until, begun_at = excluded.begun_at
      where s.holder = round or ((s.holder is null or s.held_until <= at)
        -- One that did not come to its end is still due.
        and (due is null or s.begun_at < due or s.ended_at is null or s.ended_at < s.begun_at))
    returning 1)
  select exists (select from taken)
$function$
;

CREATE OR REPLACE FUNCTION twofold.bucket_of(id uuid)
 RETURNS smallint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select (((get_byte(uuid_send(id), 14) & 3) << 8) | get_byte(uuid_send(id), 15))::smallint $function$
;

CREATE OR REPLACE FUNCTION twofold.claim(wanted_key text, wanted_part integer, wanted_operation text, hash bytea, wanted_targets jsonb, at timestamp with time zone, retry interval DEFAULT NULL::interval)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
  former twofold.idempotency_keys;
begin
  insert into twofold.idempotency_keys as k (tenant_id, key_id, key, part, operation, request_hash, targets, created_at)
  values (twofold.current_tenant(), twofold.current_actor(), wanted_key, wanted_part, wanted_operation, hash, wanted_targets, at)
  on conflict (tenant_id, key_id, key, part) do update
    set operation = excluded.operation, request_hash = excluded.request_hash, targets = excluded.targets, created_at = excluded.created_at
    where k.created_at < at - coalesce(retry, interval '24 hours')
      or (retry is not null and (k.request_hash is null or exists (
        select from jsonb_to_recordset(k.targets) t (id uuid)
        join twofold.memories m on m.tenant_id = twofold.current_tenant() and m.id = t.id where m.deleted_at is not null)));
  if found then
    return;
  end if;
  select * into former from twofold.idempotency_keys k
  where k.tenant_id = twofold.current_tenant() and k.key_id = twofold.current_actor() and k.key = wanted_key and k.part = wanted_part;
  if former.request_hash is null then
    perform twofold.refuse('gone', 'What this idempotency key once wrote has since been deleted for good.');
  elsif former.operation <> wanted_operation or former.request_hash <> hash then
    perform twofold.refuse('idempotency_mismatch', 'This idempotency key was used for another request.');
  elsif exists (
    select from jsonb_to_recordset(former.targets) t (id uuid)
    join twofold.memories m on m.tenant_id = twofold.current_tenant() and m.id = t.id where m.pending_until is not null
  ) then
    perform twofold.refuse('in_progress', 'The first request with this idempotency key is still running.', '{"retryAfterMs": 500}');
  end if;
  perform twofold.refuse('replay', 'replay', jsonb_build_object('targets', former.targets));
end $function$
;

CREATE OR REPLACE FUNCTION twofold.current_actor()
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select coalesce(nullif(current_setting('twofold.actor', true), ''), 'system') $function$
;

CREATE OR REPLACE FUNCTION twofold.current_tenant()
 RETURNS integer
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select nullif(current_setting('twofold.tenant', true), '')::int $function$
;

CREATE OR REPLACE FUNCTION twofold.document_json(d twofold.documents, model text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  select jsonb_build_object('id', d.id, 'namespace', d.namespace, 'filePath', d.file_path, 'title', d.title, 'documentType', d.document_type,
    'metadata', d.metadata, 'contentHash', d.content_hash, 'bytes', d.bytes, 'chunkCount', d.chunk_count, 'embeddingModel', d.embedding_model,
    'syncStatus', case when d.sync_status = 'synced' and d.embedding_model <> model then 'stale' else d.sync_status end, 'failure', d.failure,
    'lastSyncedAt', twofold.iso(d.last_synced_at), 'version', d.version, 'createdBy', d.created_by, 'updatedBy', d.updated_by,
    'createdAt', twofold.iso(d.created_at), 'updatedAt', twofold.iso(d.updated_at))
$function$
;

CREATE OR REPLACE FUNCTION twofold.end_schedule(schedule text, round uuid, at timestamp with time zone, what text)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
  update schedules s set holder = null, held_until = null, ended_at = at, failure = what,
    failed_at = case when what is null then s.failed_at else at end
  where s.name = schedule and s.holder = round
$function$
;

CREATE OR REPLACE FUNCTION twofold.end_temporary()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  own text := 'temp:' || old.name;
  at timestamptz := coalesce(new.terminated_at, clock_timestamp());
begin
  update twofold.memories m set fades_at = least(m.fades_at, at)
  where m.tenant_id = old.tenant_id and m.deleted_at is null and twofold.visible(m.namespace) and m.id in (
    select t.id from twofold.memories t where t.tenant_id = old.tenant_id and t.namespace = own
    union all select t.id from twofold.memories t where t.tenant_id = old.tenant_id and t.namespace >= own || ':' and t.namespace < own || ';'
    union all select t.id from twofold.memories t
      where t.tenant_id = old.tenant_id and t.session_id = old.name and t.namespace >= 'temp:' and t.namespace < 'temp;');
  return null;
end $function$
;

CREATE OR REPLACE FUNCTION twofold.ensure_tenant(tenant uuid, tenant_name text, key_id uuid, key_hash bytea, at timestamp with time zone)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
declare
  holder record;
begin
  insert into tenants (uuid, name, created_at) values (tenant, tenant_name, at) on conflict (name) do nothing;
  select * into holder from tenants t where t.name = tenant_name;
  update api_keys k set hash = key_hash, revoked_at = null
  where k.tenant_id = holder.id and k.name = 'local admin key' and k.hash <> key_hash;
  insert into api_keys (tenant_id, id, name, hash, scopes, namespaces, created_at)
  select holder.id, key_id, 'local admin key', key_hash, '{admin}', '{*}', at
  where not exists (select from api_keys k where k.hash = key_hash)
  on conflict do nothing;
  return holder.uuid;
end $function$
;

CREATE OR REPLACE FUNCTION twofold.entity_node(e twofold.entities)
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  select jsonb_build_object('id', e.id, 'kind', 'entity', 'type', e.type, 'value', e.value, 'normalized', e.normalized,
    'subject', e.subject, 'createdAt', twofold.iso(e.created_at))
$function$
;

CREATE OR REPLACE FUNCTION twofold.fade()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  new.fades_at := twofold.fades_at(new.tenant_id, new.namespace, new.type, new.importance, new.expires_at, new.updated_at);
  return new;
end $function$
;

CREATE OR REPLACE FUNCTION twofold.fades_at(tenant integer, place text, type text, importance double precision, expires_at timestamp with time zone, at timestamp with time zone)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  select at + interval '1 hour' * case
    when expires_at is not null then null
    when split_part(place, ':', 1) = 'temp' then p.temp_hours
    when type = 'episodic' and importance < 8 then 24 * p.episodic_days
  end
  from twofold.policy_of(tenant, place) p
$function$
;

CREATE OR REPLACE FUNCTION twofold.forget_audit(before timestamp with time zone, most integer)
 RETURNS integer
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
  with old as (
    select a.id from audit_log a where a.tenant_id = current_tenant() and a.at < least(before, now() - interval '1 day') order by a.at limit most),
  gone as (delete from audit_log a using old where a.tenant_id = current_tenant() and a.id = old.id returning 1)
  select count(*)::int from gone
$function$
;

CREATE OR REPLACE FUNCTION twofold.granted()
 RETURNS TABLE(low text, high text)
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  select g.low, g.high
  from unnest(nullif(current_setting('twofold.lows', true), '')::text[], nullif(current_setting('twofold.highs', true), '')::text[]) g (low, high)
$function$
;

CREATE OR REPLACE FUNCTION twofold.graph_standing_of_all()
 RETURNS TABLE(owed integer, oldest_owed timestamp with time zone, parked integer, drift integer)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
  select (select count(*) from ledger l where l.revision <> l.shown and l.parked_at is null)::int,
    (select min(l.owed_since) from ledger l where l.revision <> l.shown and l.parked_at is null),
    (select count(*) from ledger l where l.parked_at is not null)::int,
    (select count(*) from drift d where d.repaired_at is null)::int
$function$
;

CREATE OR REPLACE FUNCTION twofold.graph_state()
 RETURNS TABLE(generations integer[], epoch integer)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
  select array[t.graph_generation] || array(select g.generation from graph_generations g where g.tenant_id = t.id and g.state = 'filling'), t.graph_epoch
  from tenants t where t.id = current_tenant()
$function$
;

CREATE OR REPLACE FUNCTION twofold.here()
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select coalesce(nullif(current_setting('twofold.place', true), ''), 'home') $function$
;

CREATE OR REPLACE FUNCTION twofold.iso(at timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $function$
;

CREATE OR REPLACE FUNCTION twofold.key_hash(key uuid)
 RETURNS bytea
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$ select k.hash from api_keys k where k.tenant_id = current_tenant() and k.id = key $function$
;

CREATE OR REPLACE FUNCTION twofold.list_tenants(after uuid, most integer)
 RETURNS TABLE(id uuid, name text, placement text, created_at timestamp with time zone, suspended_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
  select t.uuid, t.name, t.placement, t.created_at, t.suspended_at from tenants t where after is null or t.uuid > after order by t.uuid limit most
$function$
;

CREATE OR REPLACE FUNCTION twofold.make_tenant(tenant uuid, tenant_name text, key_id uuid, key_hash bytea, at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
declare
  number int;
begin
  insert into tenants (uuid, name, placement, created_at) values (tenant, tenant_name, here(), at) on conflict (name) do nothing returning id into number;
  if number is null then
    perform refuse('conflict', 'A tenant of this name exists.');
  end if;
  insert into api_keys (tenant_id, id, name, hash, scopes, namespaces, created_at)
  values (number, key_id, 'first admin key', key_hash, '{admin}', '{*}', at);
  return jsonb_build_object('id', tenant, 'name', tenant_name, 'createdAt', at, 'suspendedAt', null);
end $function$
;

CREATE OR REPLACE FUNCTION twofold.memory_json(m twofold.memories)
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  select jsonb_build_object(
    'id', m.id, 'namespace', m.namespace, 'key', m.key, 'type', m.type, 'kind', m.kind, 'content', m.content, 'value', m.value,
    'summary', m.summary, 'importance', m.importance, 'metadata', m.metadata, 'tags', to_jsonb(m.tags), 'entities', m.entities,
    'relations', m.relations, 'conversationId', m.conversation_id, 'sessionId', m.session_id, 'taskId', m.task_id,
    'speaker', m.speaker, 'occurredAt', twofold.iso(m.occurred_at), 'expiresAt', twofold.iso(m.expires_at), 'version', m.version,
    'createdBy', m.created_by, 'updatedBy', m.updated_by, 'createdAt', twofold.iso(m.created_at), 'updatedAt', twofold.iso(m.updated_at),
    'deletedAt', twofold.iso(m.deleted_at))
    || coalesce(m.details, '{}') || case when m.status is null then '{}' else jsonb_build_object('status', m.status) end
    || case when m.superseded_by is null then '{}' else jsonb_build_object('supersededBy', m.superseded_by) end
$function$
;

CREATE OR REPLACE FUNCTION twofold.merge_patch(target jsonb, patch jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
AS $function$
declare
  merged jsonb := case when jsonb_typeof(target) = 'object' then target else '{}' end;
begin
  if jsonb_typeof(patch) <> 'object' then
    return patch;
  end if;
  return (merged - array(select key from jsonb_each(patch) where value = 'null'))
    || coalesce((select jsonb_object_agg(key, twofold.merge_patch(merged -> key, value)) from jsonb_each(patch) where value <> 'null'), '{}');
end $function$
;

CREATE OR REPLACE FUNCTION twofold.must_live_here(placement text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  if placement <> twofold.here() then
    raise exception using errcode = 'TW004', message = placement;
  end if;
end $function$
;

CREATE OR REPLACE FUNCTION twofold.note_audit(notes jsonb)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
  insert into audit_log (tenant_id, at, actor, on_behalf_of, request_id, action, target, namespace, outcome)
  select k.tenant_id, n.at, k.id::text, n."onBehalfOf", n."requestId", n.action, coalesce(n.target, s.id, c.id),
    coalesce(n.namespace, s.namespace, c.namespace,
      (select m.namespace from memories m where m.tenant_id = k.tenant_id and m.id = n.target),
      (select e.subject from entities e where e.tenant_id = k.tenant_id and e.id = n.target), ''),
    n.outcome
  from jsonb_to_recordset(notes) n
    (at timestamptz, key uuid, hash text, "onBehalfOf" text, "requestId" text, action text, target uuid, named text, namespace text, outcome text)
  cross join lateral (
    select a.tenant_id, a.id from api_keys a where a.id = n.key
    union all select a.tenant_id, a.id from api_keys a where n.key is null and a.hash = decode(n.hash, 'hex')
    union all select a.tenant_id, a.id from api_keys a where n.key is null and a.former_hash = decode(n.hash, 'hex')) k
  left join sessions s on n.action like 'sessions.%' and s.tenant_id = k.tenant_id and s.name = n.named
  left join conversations c on n.action like 'conversations.%' and c.tenant_id = k.tenant_id and c.name = n.named
$function$
;

CREATE OR REPLACE FUNCTION twofold.other_spelling(key text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  select case when starts_with(key, 'session:') then substr(key, 9) when strpos(key, ':') = 0 then 'session:' || key end
$function$
;

CREATE OR REPLACE FUNCTION twofold.owe(node_kind text, ids uuid[], subjects text[], at timestamp with time zone)
 RETURNS void
 LANGUAGE sql
AS $function$
  insert into twofold.ledger (tenant_id, id, kind, subject, bucket, revision, owed_since)
  select twofold.current_tenant(), w.id, node_kind, w.subject, twofold.bucket_of(w.id), 1, at
  from (select distinct on (u.id) u.id, u.subject from unnest(ids, subjects) u (id, subject) order by u.id) w
  order by w.id
  on conflict (tenant_id, id) do update set
    revision = ledger.revision + 1, attempts = 0, not_before = null, parked_at = null, failure = null,
    owed_since = case when ledger.revision = ledger.shown then excluded.owed_since else ledger.owed_since end
$function$
;

CREATE OR REPLACE FUNCTION twofold.owe_superseder()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if old.tenant_id = twofold.current_tenant() then
    perform twofold.owe('memory', array[old.superseded_by, old.id], array[old.subject, old.subject], clock_timestamp());
  end if;
  return null;
end $function$
;

CREATE OR REPLACE FUNCTION twofold.place_tenant(tenant uuid, tenant_name text, place text, at timestamp with time zone)
 RETURNS TABLE(id uuid, created_at timestamp with time zone)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
begin
  insert into tenants (uuid, name, placement, created_at) values (tenant, tenant_name, place, at) on conflict (name) do nothing;
  return query select t.uuid, t.created_at from tenants t where t.name = tenant_name and t.placement = place and place <> here();
  if not found then
    perform refuse('conflict', 'A tenant of this name exists.');
  end if;
end $function$
;

CREATE OR REPLACE FUNCTION twofold.policy_of(tenant integer, place text)
 RETURNS TABLE(namespace text, keep_versions integer, daily_versions_after_days integer, episodic_days integer, temp_hours integer, updated_by text, updated_at timestamp with time zone)
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  (select p.namespace, p.keep_versions, p.daily_versions_after_days, p.episodic_days, p.temp_hours, p.updated_by, p.updated_at
    from twofold.namespace_policies p where p.tenant_id = tenant and p.namespace = any (twofold.ancestors_of(place)) order by length(p.namespace) desc limit 1)
  union all (select null, null, null, 90, 24, null, null)
  limit 1
$function$
;

CREATE OR REPLACE FUNCTION twofold.ranges_of(grants text[])
 RETURNS TABLE(low text, high text)
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  select '', U&'\+10FFFF' from unnest(grants) g where g = '*'
  union all select g, g || U&'\0001' from unnest(grants) g where g <> '*'
  union all select g || ':', g || ';' from unnest(grants) g where g <> '*'
$function$
;

CREATE OR REPLACE FUNCTION twofold.refuse(code text, message text, details jsonb DEFAULT '{}'::jsonb)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  raise exception using errcode = 'TW001', message = code, detail = jsonb_build_object('message', message) || details;
end $function$
;

CREATE OR REPLACE FUNCTION twofold.release_turns()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update twofold.idempotency_keys k set request_hash = null
  from gone g
  where k.tenant_id = g.tenant_id and k.key_id = g.actor and k.key = g.idempotency_key
    and k.key = any(array(select o.idempotency_key from gone o where o.idempotency_key is not null))
    and k.key_id = any(array(select distinct o.actor from gone o where o.idempotency_key is not null))
    and k.targets @> jsonb_build_array(jsonb_build_object('id', g.id));
  return null;
end $function$
;

CREATE OR REPLACE FUNCTION twofold.rotate_key(key_id uuid, new_hash bytea, former_lives_until timestamp with time zone)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
  update api_keys k set hash = new_hash, former_hash = case when former_lives_until is null then null else k.hash end, former_until = former_lives_until
  where k.id = key_id and k.tenant_id = current_tenant()
$function$
;

CREATE OR REPLACE FUNCTION twofold.run_again(what text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  raise exception using errcode = 'TW002', message = what;
end $function$
;

CREATE OR REPLACE FUNCTION twofold.schedule_begun(schedule text)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$ select begun_at from schedules where name = schedule $function$
;

CREATE OR REPLACE FUNCTION twofold.session_json(s twofold.sessions)
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  select jsonb_build_object('id', s.name, 'appName', s.app_name, 'userId', s.user_id, 'projectId', s.project_id, 'status', s.status,
    'state', twofold.state_of(s), 'metadata', s.metadata, 'eventCount', s.last_seq, 'version', s.version, 'createdAt', twofold.iso(s.created_at),
    'updatedAt', twofold.iso(s.updated_at), 'terminatedAt', twofold.iso(s.terminated_at), 'archivedAt', twofold.iso(s.archived_at))
$function$
;

CREATE OR REPLACE FUNCTION twofold.spelled_as_in(state jsonb, given jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  select coalesce(jsonb_object_agg(case when state ? twofold.other_spelling(g.key) then twofold.other_spelling(g.key) else g.key end, g.value), '{}')
  from jsonb_each(given) g
$function$
;

CREATE OR REPLACE FUNCTION twofold.state_of(s twofold.sessions)
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  select s.state
    || coalesce((select u.state from twofold.shared_state u where u.tenant_id = s.tenant_id and u.namespace = s.namespace), '{}')
    || coalesce((select a.state from twofold.shared_state a where a.tenant_id = s.tenant_id and a.namespace = s.app_namespace and twofold.visible(a.namespace)), '{}')
$function$
;

CREATE OR REPLACE FUNCTION twofold.subject_number(subject text)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select ('x' || left(md5(subject), 8))::bit(32)::int $function$
;

CREATE OR REPLACE FUNCTION twofold.subject_of(namespace text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ select split_part(namespace, ':', 1) || ':' || split_part(namespace, ':', 2) $function$
;

CREATE OR REPLACE FUNCTION twofold.suspend_tenant(tenant uuid, at timestamp with time zone)
 RETURNS TABLE(id uuid, name text, placement text, created_at timestamp with time zone, suspended_at timestamp with time zone)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
  update tenants t set suspended_at = case when at is null then null else coalesce(t.suspended_at, at) end where t.uuid = tenant
  returning t.uuid, t.name, t.placement, t.created_at, t.suspended_at
$function$
;

CREATE OR REPLACE FUNCTION twofold.switch_generation(filled integer, at timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
declare former int;
begin
  select t.graph_generation into former from tenants t where t.id = current_tenant() for update;
  delete from graph_generations where tenant_id = current_tenant() and generation = filled and state = 'filling';
  if not found then return; end if;
  update tenants set graph_generation = filled, graph_epoch = graph_epoch + 1 where id = current_tenant();
  insert into graph_generations (tenant_id, generation, state, since) values (current_tenant(), former, 'retired', at);
end $function$
;

CREATE OR REPLACE FUNCTION twofold.tenants_shuffled(seed text)
 RETURNS TABLE(tenant uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$ select t.uuid from tenants t where t.suspended_at is null and t.placement = here() order by md5(t.uuid || seed) $function$
;

CREATE OR REPLACE FUNCTION twofold.tenants_with(work text, at timestamp with time zone, most integer)
 RETURNS TABLE(tenant uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
  select t.uuid
  from tenants t
  join lateral (
    select min(l.owed_since) as since from ledger l
    where work = 'graph' and l.tenant_id = t.id and l.revision <> l.shown and l.parked_at is null
      and (l.leased_until is null or l.leased_until <= at) and (l.not_before is null or l.not_before <= at)
    union all
    select (select m.updated_at from memories m
      where m.tenant_id = t.id and (m.owes_embedding or m.owes_entities) and m.deleted_at is null and m.pending_until is null limit 1)
    where work = 'models'
    union all select min(m.pending_until) from memories m where work = 'pending' and m.tenant_id = t.id and m.pending_until <= at
    union all select min(m.ends_at) from memories m where work = 'expired' and m.tenant_id = t.id and m.deleted_at is null and m.ends_at <= at
    union all select min(c.since) from collectable c where work = 'collect' and c.tenant_id = t.id
    union all select min(l.tombstone_at) from ledger l where work = 'tombstones' and l.tenant_id = t.id and l.tombstone_at <= at
    union all select min(k.created_at) from idempotency_keys k where work = 'requests' and k.tenant_id = t.id and k.created_at <= at
    union all select min(l.parked_at) from ledger l where work = 'parked' and l.tenant_id = t.id and l.parked_at <= at
    -- Runs that nobody is at.
    union all select min(r.started_at) from sync_runs r
      where work = 'runs' and r.tenant_id = t.id and r.ended_at is null and (r.leased_until is null or r.leased_until <= at)
    union all select min(r.started_at) from sync_runs r where work = 'history' and r.tenant_id = t.id and r.started_at <= at and r.ended_at <= at
    union all select min(d.repaired_at) from drift d where work = 'history' and d.tenant_id = t.id and d.repaired_at <= at
    union all select min(g.since) from graph_generations g where work = g.state and work in ('retired', 'dropped') and g.tenant_id = t.id and g.since <= at
    -- Not looked at as a whole since then, by a schedule.
    union all select t.created_at
      where work = 'nightly' and t.created_at < at and not exists (
        select from sync_runs r where r.tenant_id = t.id and r.operation = 'nightly' and r.started_at >= at)
    -- Where something was shown that the last look at what changed may not have seen: it was about to be noted then.
    union all select min(l.shown_at) from ledger l
      where work = 'changed' and l.tenant_id = t.id and l.shown_at > (
        select coalesce(max(r.started_at) - interval '2 minutes', '-infinity') from sync_runs r
        where r.tenant_id = t.id and r.operation = 'incremental' and r.ended_at is not null)
        and not exists (select from sync_runs r where r.tenant_id = t.id and r.operation = 'incremental' and r.ended_at is null)
  
    union all select min(u.expires_at) from turns u where work = 'turns' and u.tenant_id = t.id and u.expires_at <= tenants_with.at
    union all select min(c.expires_at) from conversations c where work = 'turns' and c.tenant_id = t.id and c.expires_at <= at
    union all select min(a.at) from audit_log a where work = 'audit' and a.tenant_id = t.id and a.at <= tenants_with.at
  
    union all select min(c.since) from policy_changes c where work = 'policies' and c.tenant_id = t.id and c.since <= at
    union all select min(p.squash_at) from namespace_policies p where work = 'squash' and p.tenant_id = t.id and p.squash_at <= at
  
    union all select min(c.due_at) from consolidations c where work = 'consolidate' and c.tenant_id = t.id and c.due_at <= at
  ) w on w.since is not null
  where t.placement = here()
  order by w.since
  limit most
$function$
;

CREATE OR REPLACE FUNCTION twofold.tenants_with_documents(model text, at timestamp with time zone, most integer)
 RETURNS TABLE(tenant uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
  select t.uuid
  from tenants t
  join lateral (
    select min(d.due_at) as since from documents d where d.tenant_id = t.id and d.due_at <= at
    -- In the order of the index that knows them, so that no other is taken for the least.
    union all
    (select d.updated_at from documents d
      where d.tenant_id = t.id and d.removed_at is null and d.sync_status = 'synced' and d.embedding_model < model collate "C" and d.due_at is null
      order by d.embedding_model limit 1)
    union all
    (select d.updated_at from documents d
      where d.tenant_id = t.id and d.removed_at is null and d.sync_status = 'synced' and d.embedding_model > model collate "C" and d.due_at is null
      order by d.embedding_model desc limit 1)
  ) w on w.since is not null
  where t.placement = here()
  group by t.uuid
  order by min(w.since)
  limit most
$function$
;

CREATE OR REPLACE FUNCTION twofold.touch_key(key_hash bytea, at timestamp with time zone)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'twofold', 'pg_temp'
AS $function$
  update api_keys set last_used_at = greatest(last_used_at, at) where hash = key_hash or former_hash = key_hash
$function$
;

CREATE OR REPLACE FUNCTION twofold.visible(namespace text)
 RETURNS boolean
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
  select exists (select from twofold.granted() g where namespace >= g.low collate "C" and namespace < g.high collate "C")
$function$
;

-- Triggers

CREATE TRIGGER fading BEFORE INSERT OR UPDATE OF type, importance, expires_at ON twofold.memories FOR EACH ROW WHEN (((new.type = 'episodic'::text) OR (new.namespace ~~ 'temp:%'::text) OR (new.fades_at IS NOT NULL))) EXECUTE FUNCTION twofold.fade();

CREATE TRIGGER superseded_gone AFTER DELETE ON twofold.memories FOR EACH ROW WHEN ((old.superseded_by IS NOT NULL)) EXECUTE FUNCTION twofold.owe_superseder();

CREATE TRIGGER unsuperseded AFTER UPDATE OF superseded_by ON twofold.memories FOR EACH ROW WHEN (((old.superseded_by IS NOT NULL) AND (new.superseded_by IS NULL))) EXECUTE FUNCTION twofold.owe_superseder();

CREATE TRIGGER ended AFTER UPDATE OF terminated_at ON twofold.sessions FOR EACH ROW WHEN (((old.terminated_at IS NULL) AND (new.terminated_at IS NOT NULL))) EXECUTE FUNCTION twofold.end_temporary();

CREATE TRIGGER removed AFTER DELETE ON twofold.sessions FOR EACH ROW WHEN ((old.terminated_at IS NULL)) EXECUTE FUNCTION twofold.end_temporary();

CREATE TRIGGER removed AFTER DELETE ON twofold.turns REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION twofold.release_turns();

-- Row-level security

alter table graph.edges enable row level security;

alter table graph.nodes enable row level security;

alter table twofold.api_keys enable row level security;

alter table twofold.archived_events enable row level security;

alter table twofold.audit_log enable row level security;

alter table twofold.collectable enable row level security;

alter table twofold.consolidations enable row level security;

alter table twofold.conversations enable row level security;

alter table twofold.document_chunks enable row level security;

alter table twofold.documents enable row level security;

alter table twofold.drift enable row level security;

alter table twofold.embeddings enable row level security;

alter table twofold.entities enable row level security;

alter table twofold.entity_terms enable row level security;

alter table twofold.graph_generations enable row level security;

alter table twofold.heard enable row level security;

alter table twofold.idempotency_keys enable row level security;

alter table twofold.ledger enable row level security;

alter table twofold.links enable row level security;

alter table twofold.memories enable row level security;

alter table twofold.memory_entities enable row level security;

alter table twofold.memory_versions enable row level security;

alter table twofold.namespace_policies enable row level security;

alter table twofold.past_embeddings enable row level security;

alter table twofold.policy_changes enable row level security;

alter table twofold.postings enable row level security;

alter table twofold.relations enable row level security;

alter table twofold.session_events enable row level security;

alter table twofold.sessions enable row level security;

alter table twofold.shared_state enable row level security;

alter table twofold.sync_runs enable row level security;

alter table twofold.turns enable row level security;

create policy tenant on graph.edges for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on graph.nodes for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.api_keys for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.archived_events for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.audit_log for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.collectable for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.consolidations for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.conversations for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.document_chunks for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.documents for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.drift for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.embeddings for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.entities for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.entity_terms for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.graph_generations for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.heard for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.idempotency_keys for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.ledger for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.links for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.memories for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.memory_entities for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.memory_versions for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.namespace_policies for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.past_embeddings for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.policy_changes for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.postings for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.relations for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.session_events for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.sessions for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.shared_state for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.sync_runs for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

create policy tenant on twofold.turns for all to twofold_app
  using (tenant_id = twofold.current_tenant())
  with check (tenant_id = twofold.current_tenant());

-- What the application role may do

grant delete, insert, select, update on graph.edges to twofold_app;

grant delete, insert, select, update on graph.nodes to twofold_app;

grant delete, insert, select, update on twofold.archived_events to twofold_app;

grant delete, insert, select, update on twofold.collectable to twofold_app;

grant delete, insert, select, update on twofold.consolidations to twofold_app;

grant delete, insert, select, update on twofold.conversations to twofold_app;

grant delete, insert, select, update on twofold.document_chunks to twofold_app;

grant delete, insert, select, update on twofold.documents to twofold_app;

grant delete, insert, select, update on twofold.drift to twofold_app;

grant delete, insert, select, update on twofold.embeddings to twofold_app;

grant delete, insert, select, update on twofold.entities to twofold_app;

grant delete, insert, select, update on twofold.entity_terms to twofold_app;

grant delete, insert, select, update on twofold.heard to twofold_app;

grant delete, insert, select, update on twofold.idempotency_keys to twofold_app;

grant delete, insert, select, update on twofold.links to twofold_app;

grant delete, insert, select, update on twofold.memories to twofold_app;

grant delete, insert, select, update on twofold.memory_entities to twofold_app;

grant delete, insert, select, update on twofold.memory_versions to twofold_app;

grant delete, insert, select, update on twofold.namespace_policies to twofold_app;

grant delete, insert, select, update on twofold.past_embeddings to twofold_app;

grant delete, insert, select, update on twofold.policy_changes to twofold_app;

grant delete, insert, select, update on twofold.postings to twofold_app;

grant delete, insert, select, update on twofold.relations to twofold_app;

grant delete, insert, select, update on twofold.session_events to twofold_app;

grant delete, insert, select, update on twofold.sessions to twofold_app;

grant delete, insert, select, update on twofold.shared_state to twofold_app;

grant delete, insert, select, update on twofold.sync_runs to twofold_app;

grant delete, insert, select, update on twofold.turns to twofold_app;

grant delete, select on twofold.graph_generations to twofold_app;

grant insert on twofold.api_keys to twofold_app;

grant insert, select on twofold.audit_log to twofold_app;

grant insert, select, update on twofold.ledger to twofold_app;

grant select (tenant_id, id, name, former_until, scopes, namespaces, created_at, expires_at, revoked_at, last_used_at), update (name, revoked_at) on twofold.api_keys to twofold_app;

grant select on twofold.readable_memories to twofold_app;

grant update (state) on twofold.graph_generations to twofold_app;

grant usage on schema graph to twofold_app;

grant usage on schema twofold to twofold_app;

revoke execute on function twofold.ensure_tenant(uuid,text,uuid,bytea,timestamp with time zone) from public;
