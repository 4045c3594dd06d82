-- Indexed files: what they say lies in memories of kind document, one for each chunk.

create table twofold.documents (
  tenant_id int not null references twofold.tenants on delete cascade,
  id uuid not null,
  namespace text collate "C" not null,
  subject text collate "C" not null generated always as (twofold.subject_of(namespace)) stored,
  file_path text not null,
  -- SHA-256 of the path, which may be longer than an index takes.
  path_hash text collate "C" not null,
  title text not null,
  document_type text collate "C" not null,
  metadata jsonb not null,
  -- As it was put: what has no room in one transaction is cut again from it.
  content text not null,
  bytes int not null,
  content_hash text collate "C" not null,
  chunk_count int not null,
  -- Chunks that are not there yet, or not yet with the metadata that the document has now.
  to_place int not null,
  -- pending, synced or failed; stale is what was synced with another model than the one that is asked for now.
  sync_status text collate "C" not null,
  failure text,
  -- Rounds in a row that brought nothing.
  attempts int not null default 0,
  -- When somebody should go on with it; null: there is nothing to do.
  due_at timestamptz,
  embedding_model text collate "C" not null,
  last_synced_at timestamptz,
  version int not null default 1,
  created_by text not null,
  updated_by text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  -- Nobody's to read from then on; the row goes when the last of its chunks has gone.
  removed_at timestamptz,
  primary key (tenant_id, id)
);
create unique index documents_by_path on twofold.documents (tenant_id, namespace, path_hash) where removed_at is null;
create index documents_by_status on twofold.documents (tenant_id, sync_status, embedding_model, id) where removed_at is null;
create index documents_by_type on twofold.documents (tenant_id, document_type, id) where removed_at is null;
create index documents_by_hash on twofold.documents (tenant_id, content_hash, id) where removed_at is null;
create index documents_by_update on twofold.documents (tenant_id, updated_at, id) where removed_at is null;
create index documents_due on twofold.documents (tenant_id, due_at) where due_at is not null;

-- Which memories are the chunks of a document. One without a position was replaced: out of every search, and soon gone.
create table twofold.document_chunks (
  tenant_id int not null,
  memory_id uuid not null,
  document_id uuid not null,
  position int,
  -- Of what it says, and of the metadata that it carries for its document.
  hash text collate "C" not null,
  label text collate "C" not null,
  primary key (tenant_id, memory_id),
  foreign key (tenant_id, memory_id) references twofold.memories on delete cascade,
  foreign key (tenant_id, document_id) references twofold.documents on delete cascade
);
create index document_chunks_by_position on twofold.document_chunks (tenant_id, document_id, position);

do $$ declare t text; begin
  foreach t in array array['documents', 'document_chunks'] loop
    execute format('alter table twofold.%I enable row level security', t);
    execute format('create policy tenant on twofold.%I to twofold_app using (tenant_id = twofold.current_tenant()) with check (tenant_id = twofold.current_tenant())', t);
    execute format('grant select, insert, update, delete on twofold.%I to twofold_app', t);
  end loop;
end $$;

create function twofold.document_json(d twofold.documents, model text) returns jsonb language sql stable parallel safe as $$
  select jsonb_build_object('id', d.id, 'namespace', d.namespace, 'filePath', d.file_path, 'title', d.title, 'documentType', d.document_type,
    'metadata', d.metadata, 'contentHash', d.content_hash, 'bytes', d.bytes, 'chunkCount', d.chunk_count, 'embeddingModel', d.embedding_model,
    'syncStatus', case when d.sync_status = 'synced' and d.embedding_model <> model then 'stale' else d.sync_status end, 'failure', d.failure,
    'lastSyncedAt', twofold.iso(d.last_synced_at), 'version', d.version, 'createdBy', d.created_by, 'updatedBy', d.updated_by,
    'createdAt', twofold.iso(d.created_at), 'updatedAt', twofold.iso(d.updated_at))
$$;

-- Tenants with documents that somebody should go on with, longest waiting first; also those whose vectors are another model's.
create function twofold.tenants_with_documents(model text, at timestamptz, most int) returns table (tenant uuid)
language sql stable security definer set search_path = twofold, pg_temp as $$
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
  group by t.uuid
  order by min(w.since)
  limit most
$$;
