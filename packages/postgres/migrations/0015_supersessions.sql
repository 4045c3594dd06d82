-- What superseded what.

-- A superseded memory is deleted softly and points to what took its place; restored, it points nowhere. What it points to
-- is live when the pointer is set, so it points nowhere itself, and pointers never run in a circle.
alter table twofold.memories
  add column superseded_by uuid,
  add constraint superseded_is_deleted check (superseded_by is null or (deleted_at is not null and superseded_by <> id)),
  add constraint superseded_by_memory foreign key (tenant_id, superseded_by) references twofold.memories on delete set null (superseded_by);
create index memories_by_superseder on twofold.memories (tenant_id, superseded_by) where superseded_by is not null;

-- The graph shows the pointer as an edge that the other memory asserts. Whoever takes it away, by restoring the one, or by
-- deleting one of them for good, changes what is shown of both; so the row itself says that they are owed.
create function twofold.owe_superseder() returns trigger language plpgsql as $$
begin
  if old.tenant_id = twofold.current_tenant() then
    perform twofold.owe('memory', array[old.superseded_by, old.id], array[old.subject, old.subject], clock_timestamp());
  end if;
  return null;
end $$;
create trigger unsuperseded after update of superseded_by on twofold.memories for each row
  when (old.superseded_by is not null and new.superseded_by is null) execute function twofold.owe_superseder();
create trigger superseded_gone after delete on twofold.memories for each row
  when (old.superseded_by is not null) execute function twofold.owe_superseder();

create or replace function twofold.memory_json(m twofold.memories) returns jsonb language sql stable parallel safe as $$
  select jsonb_build_object(
    'id', m.id, 'namespace', m.namespace, 'key', m.key, 'type', m.type, 'kind', m.kind, 'content', m.content, 'value', m.value,
    'summary', m.summary, 'importance', m.importance, 'metadata', m.metadata, 'tags', to_jsonb(m.tags), 'entities', m.entities,
    'relations', m.relations, 'conversationId', m.conversation_id, 'sessionId', m.session_id, 'taskId', m.task_id,
    'speaker', m.speaker, 'occurredAt', twofold.iso(m.occurred_at), 'expiresAt', twofold.iso(m.expires_at), 'version', m.version,
    'createdBy', m.created_by, 'updatedBy', m.updated_by, 'createdAt', twofold.iso(m.created_at), 'updatedAt', twofold.iso(m.updated_at),
    'deletedAt', twofold.iso(m.deleted_at))
    || coalesce(m.details, '{}') || case when m.status is null then '{}' else jsonb_build_object('status', m.status) end
    || case when m.superseded_by is null then '{}' else jsonb_build_object('supersededBy', m.superseded_by) end
$$;

-- Messages that were heard, each by a hash of what was said by whom and when, so that hearing it again changes nothing;
-- beside it what was made of it, which takes the row along when it is deleted for good.
create table twofold.heard (
  tenant_id int not null references twofold.tenants on delete cascade,
  namespace text collate "C" not null,
  hash bytea not null,
  n smallint not null,
  memory_id uuid,
  primary key (tenant_id, namespace, hash, n),
  foreign key (tenant_id, memory_id) references twofold.memories on delete cascade
);
create index heard_by_memory on twofold.heard (memory_id, tenant_id);

-- Namespaces that are consolidated by themselves, when next, and after which memory; none: from the beginning.
create table twofold.consolidations (
  tenant_id int not null references twofold.tenants on delete cascade,
  namespace text collate "C" not null,
  strategy text not null,
  every_hours int not null,
  due_at timestamptz not null,
  after_id uuid,
  updated_by text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, namespace)
);
create index consolidations_due on twofold.consolidations (tenant_id, due_at);

do $$ declare t text; begin
  foreach t in array array['heard', 'consolidations'] loop
    execute format('alter table twofold.%I enable row level security', t);
    execute format('create policy tenant on twofold.%I to twofold_app using (tenant_id = twofold.current_tenant()) with check (tenant_id = twofold.current_tenant())', t);
    execute format('grant select, insert, update, delete on twofold.%I to twofold_app', t);
  end loop;
end $$;

-- One more sort of work.
do $$
declare
  known text := pg_get_functiondef('twofold.tenants_with(text, timestamptz, int)'::regprocedure);
begin
  execute replace(known, ') w on w.since', '
    union all select min(c.due_at) from consolidations c where work = ''consolidate'' and c.tenant_id = t.id and c.due_at <= at
  ) w on w.since');
end $$;
