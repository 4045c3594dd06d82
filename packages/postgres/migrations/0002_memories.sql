-- The truth. `memories` is the current version of each memory; `memory_versions` every version ever, as it was shown.

create function twofold.subject_of(namespace text) returns text language sql immutable parallel safe as
$$ select split_part(namespace, ':', 1) || ':' || split_part(namespace, ':', 2) $$;

-- A number for a subject, so that postings stay narrow. Two subjects may share one: postings only propose, rows decide.
create function twofold.subject_number(subject text) returns int language sql immutable parallel safe as
$$ select ('x' || left(md5(subject), 8))::bit(32)::int $$;

-- Stable, as what it calls: declared immutable it would not be inlined, and each memory shown has five of it.
create function twofold.iso(at timestamptz) returns text language sql stable parallel safe as
$$ select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

create table twofold.memories (
  tenant_id int not null references twofold.tenants on delete cascade,
  id uuid not null,
  row bigint generated always as identity,
  namespace text collate "C" not null,
  subject text collate "C" not null generated always as (twofold.subject_of(namespace)) stored,
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
  occurred_at timestamptz not null,
  expires_at timestamptz,
  version int not null,
  created_by text not null,
  updated_by text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz,
  -- Set while a write that may still be rolled back waits for the graph; such a row is nobody's to read.
  pending_until timestamptz,
  -- What a model still owes this version.
  owes_embedding boolean not null default false,
  owes_entities boolean not null default false,
  primary key (tenant_id, id)
);
create unique index memories_by_key on twofold.memories (tenant_id, namespace, key) where key is not null and deleted_at is null;
create unique index memories_by_row on twofold.memories (tenant_id, row);
create index memories_by_namespace on twofold.memories (tenant_id, namespace, id);
create index memories_by_update on twofold.memories (tenant_id, updated_at, id);
create index memories_by_creator on twofold.memories (tenant_id, created_by, id);
create index memories_owing_models on twofold.memories (tenant_id, id) where (owes_embedding or owes_entities) and deleted_at is null;
create index memories_pending on twofold.memories (tenant_id, pending_until) where pending_until is not null;

create function twofold.memory_json(m twofold.memories) returns jsonb language sql stable parallel safe as $$
  select jsonb_build_object(
    'id', m.id, 'namespace', m.namespace, 'key', m.key, 'type', m.type, 'kind', m.kind, 'content', m.content, 'value', m.value,
    'summary', m.summary, 'importance', m.importance, 'metadata', m.metadata, 'tags', to_jsonb(m.tags), 'entities', m.entities,
    'relations', m.relations, 'conversationId', m.conversation_id, 'sessionId', m.session_id, 'taskId', m.task_id,
    'speaker', m.speaker, 'occurredAt', twofold.iso(m.occurred_at), 'expiresAt', twofold.iso(m.expires_at), 'version', m.version,
    'createdBy', m.created_by, 'updatedBy', m.updated_by, 'createdAt', twofold.iso(m.created_at), 'updatedAt', twofold.iso(m.updated_at),
    'deletedAt', twofold.iso(m.deleted_at))
$$;

-- Everything that reads memories reads this, so that a pending row cannot be seen by mistake.
create view twofold.readable_memories with (security_invoker = true) as
  select m.*, twofold.memory_json(m) as json from twofold.memories m where m.pending_until is null;

create table twofold.memory_versions (
  tenant_id int not null,
  memory_id uuid not null,
  version int not null,
  namespace text collate "C" not null,
  action text not null,
  reason text,
  actor text not null,
  on_behalf_of text,
  request_id text,
  at timestamptz not null,
  memory jsonb not null,
  -- The words of this version, so that what it put into the postings can be taken out again, and searched as of then.
  terms int[] not null,
  counts int[] not null,
  tokenizer smallint not null,
  -- What makes the same request again recognisable; gone with the memory.
  request_hash bytea,
  idempotency_key text,
  primary key (tenant_id, memory_id, version),
  foreign key (tenant_id, memory_id) references twofold.memories on delete cascade
);
create index memory_versions_by_time on twofold.memory_versions (tenant_id, namespace, at);

-- Vectors stand apart, so that a change of metadata does not touch their index. `version` is the one they were made from.
create table twofold.embeddings (
  tenant_id int not null,
  memory_id uuid not null,
  row bigint not null,
  model text collate "C" not null,
  subject text collate "C" not null,
  namespace text collate "C" not null,
  type text not null,
  kind text not null,
  live boolean not null,
  version int not null,
  embedding vector not null,
  primary key (tenant_id, memory_id, model),
  foreign key (tenant_id, memory_id) references twofold.memories on delete cascade
);
create index embeddings_by_subject on twofold.embeddings (tenant_id, model, subject) where live;

-- Vectors that were replaced, for searches as of then. Not indexed by distance: such a search is exact.
create table twofold.past_embeddings (
  tenant_id int not null,
  memory_id uuid not null,
  model text collate "C" not null,
  version int not null,
  embedding vector not null,
  primary key (tenant_id, memory_id, model, version),
  foreign key (tenant_id, memory_id) references twofold.memories on delete cascade
);

-- The words of what is live. Led by the term and not the subject, it serves a search over one subject and over many: at
-- 3.7 million postings the two orders are alike for one subject and for forty (with 60,000 memories 9 ms, with 100 4 ms),
-- in size and in writing, but words of a whole tenant of 127,000 take 14 ms this way and 26 ms led by the subject.
create table twofold.postings (
  tenant_id int not null,
  term int not null,
  subject int not null,
  row bigint not null,
  count int not null,
  length int not null,
  primary key (tenant_id, term, subject, row) include (count, length)
);

create table twofold.entities (
  tenant_id int not null references twofold.tenants on delete cascade,
  id uuid not null,
  subject text collate "C" not null,
  type text not null,
  normalized text collate "C" not null,
  value text not null,
  -- Made by a caller for its own sake: stays when nothing mentions it any more.
  explicit boolean not null default false,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index entities_by_name on twofold.entities (tenant_id, subject, type, normalized);

create table twofold.entity_terms (
  tenant_id int not null,
  term int not null,
  subject int not null,
  entity_id uuid not null,
  primary key (tenant_id, term, subject, entity_id),
  foreign key (tenant_id, entity_id) references twofold.entities on delete cascade
);
create index entity_terms_by_entity on twofold.entity_terms (tenant_id, entity_id);

-- Mentions of live memories. The foreign key keeps a linker out while the collector holds the entity.
create table twofold.memory_entities (
  tenant_id int not null,
  memory_id uuid not null,
  entity_id uuid not null,
  namespace text collate "C" not null,
  confidence double precision not null,
  about boolean not null default false,
  primary key (tenant_id, memory_id, entity_id),
  foreign key (tenant_id, memory_id) references twofold.memories on delete cascade,
  foreign key (tenant_id, entity_id) references twofold.entities
);
create index memory_entities_by_entity on twofold.memory_entities (tenant_id, entity_id, memory_id);

-- Edges between entities, each asserted by a live memory.
create table twofold.relations (
  tenant_id int not null,
  memory_id uuid not null,
  from_id uuid not null,
  type text collate "C" not null,
  to_id uuid not null,
  namespace text collate "C" not null,
  confidence double precision not null,
  primary key (tenant_id, memory_id, from_id, type, to_id),
  foreign key (tenant_id, memory_id) references twofold.memories on delete cascade,
  foreign key (tenant_id, from_id) references twofold.entities,
  foreign key (tenant_id, to_id) references twofold.entities
);
create index relations_by_from on twofold.relations (tenant_id, from_id);
create index relations_by_to on twofold.relations (tenant_id, to_id);

-- Entities that lost a mention and may have no other: candidates for the collector, which looks again under a lock.
create table twofold.collectable (
  tenant_id int not null,
  entity_id uuid not null,
  since timestamptz not null,
  primary key (tenant_id, entity_id)
);

do $$ declare t text; begin
  foreach t in array array['memories', 'memory_versions', 'embeddings', 'past_embeddings', 'postings', 'entities', 'entity_terms',
    'memory_entities', 'relations', 'collectable'] loop
    execute format('alter table twofold.%I enable row level security', t);
    execute format('create policy tenant on twofold.%I to twofold_app using (tenant_id = twofold.current_tenant()) with check (tenant_id = twofold.current_tenant())', t);
    execute format('grant select, insert, update, delete on twofold.%I to twofold_app', t);
  end loop;
end $$;
grant select on twofold.readable_memories to twofold_app;
