-- What decisions, commitments and patterns have beside a memory's own fields, and edges between entities that somebody
-- made for their own sake.

drop view twofold.readable_memories;
alter table twofold.memories
  add column details jsonb,
  -- Asked for in lists. Columns of their own, because ->> is not leakproof and so reaches no index under row-level
  -- security; a time in ISO 8601 with milliseconds, in UTC, sorts as it is.
  add column status text collate "C" generated always as (case when kind = 'commitment' then coalesce(details->>'status', 'open') end) stored,
  add column due_at text collate "C" generated always as (details->>'dueAt') stored;
create index memories_by_kind on twofold.memories (tenant_id, kind, namespace, id) where kind <> 'note' and deleted_at is null;
create index commitments_by_status on twofold.memories (tenant_id, status, namespace, id) where kind = 'commitment' and deleted_at is null;

create or replace function twofold.memory_json(m twofold.memories) returns jsonb language sql stable parallel safe as $$
  select jsonb_build_object(
    'id', m.id, 'namespace', m.namespace, 'key', m.key, 'type', m.type, 'kind', m.kind, 'content', m.content, 'value', m.value,
    'summary', m.summary, 'importance', m.importance, 'metadata', m.metadata, 'tags', to_jsonb(m.tags), 'entities', m.entities,
    'relations', m.relations, 'conversationId', m.conversation_id, 'sessionId', m.session_id, 'taskId', m.task_id,
    'speaker', m.speaker, 'occurredAt', twofold.iso(m.occurred_at), 'expiresAt', twofold.iso(m.expires_at), 'version', m.version,
    'createdBy', m.created_by, 'updatedBy', m.updated_by, 'createdAt', twofold.iso(m.created_at), 'updatedAt', twofold.iso(m.updated_at),
    'deletedAt', twofold.iso(m.deleted_at))
    || coalesce(m.details, '{}') || case when m.status is null then '{}' else jsonb_build_object('status', m.status) end
$$;

create view twofold.readable_memories with (security_invoker = true) as
  select m.*, twofold.memory_json(m) as json from twofold.memories m where m.pending_until is null;
grant select on twofold.readable_memories to twofold_app;

-- The graph shows a link as an edge that its `from` asserts.
create table twofold.links (
  tenant_id int not null,
  id uuid not null,
  from_id uuid not null,
  type text collate "C" not null,
  to_id uuid not null,
  subject text collate "C" not null,
  properties jsonb not null,
  confidence double precision not null generated always as (coalesce((properties->'confidence')::double precision, 1)) stored,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, from_id, type, to_id),
  foreign key (tenant_id, from_id) references twofold.entities,
  foreign key (tenant_id, to_id) references twofold.entities
);
create index links_by_to on twofold.links (tenant_id, to_id);

alter table twofold.links enable row level security;
create policy tenant on twofold.links to twofold_app using (tenant_id = twofold.current_tenant()) with check (tenant_id = twofold.current_tenant());
grant select, insert, update, delete on twofold.links to twofold_app;
