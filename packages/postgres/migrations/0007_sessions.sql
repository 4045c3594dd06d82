-- Units of work. `name` is the caller's own id; `id` is what the ledger and the graph know the session by.

create table twofold.sessions (
  tenant_id int not null references twofold.tenants on delete cascade,
  id uuid not null,
  name text collate "C" not null,
  namespace text collate "C" not null,
  subject text collate "C" not null generated always as (twofold.subject_of(namespace)) stored,
  app_name text not null,
  user_id text,
  project_id text,
  status text not null,
  state jsonb not null,
  metadata jsonb not null,
  -- The number of its last event.
  last_seq int not null default 0,
  version int not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  terminated_at timestamptz,
  archived_at timestamptz,
  primary key (tenant_id, id)
);
create unique index sessions_by_name on twofold.sessions (tenant_id, name);
-- What a session produced: each memory asserts that edge of the graph itself, so that a write never touches the session.
create index memories_by_session on twofold.memories (tenant_id, session_id, id) where session_id is not null;

create function twofold.session_json(s twofold.sessions) returns jsonb language sql stable parallel safe as $$
  select jsonb_build_object('id', s.name, 'appName', s.app_name, 'userId', s.user_id, 'projectId', s.project_id, 'status', s.status,
    'state', s.state, 'metadata', s.metadata, 'eventCount', s.last_seq, 'version', s.version, 'createdAt', twofold.iso(s.created_at),
    'updatedAt', twofold.iso(s.updated_at), 'terminatedAt', twofold.iso(s.terminated_at), 'archivedAt', twofold.iso(s.archived_at))
$$;

alter table twofold.sessions enable row level security;
create policy tenant on twofold.sessions to twofold_app using (tenant_id = twofold.current_tenant()) with check (tenant_id = twofold.current_tenant());
grant select, insert, update, delete on twofold.sessions to twofold_app;
