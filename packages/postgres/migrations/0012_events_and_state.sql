-- What happens in sessions, and the state that sessions share.

alter table twofold.sessions
  -- The number of the last event that lies in an archived page.
  add column archived_seq int not null default 0,
  -- What its app shares lies there; its user's lies in the session's own namespace. Columns, because || is not leakproof,
  -- and so what is compared with it reaches no index under row-level security.
  add column app_namespace text collate "C" not null generated always as ('app:' || app_name) stored;

-- A session belongs to the namespace of its user, so this is by user; and by grant, for a key that sees a few.
create index sessions_by_user on twofold.sessions (tenant_id, namespace, id);
create index sessions_by_status on twofold.sessions (tenant_id, status, id);
create index sessions_by_status_and_update on twofold.sessions (tenant_id, status, updated_at, id);
create index sessions_by_project on twofold.sessions (tenant_id, project_id, id) where project_id is not null;
create index sessions_by_app_and_user on twofold.sessions (tenant_id, app_name, user_id, id);
create index memories_by_task on twofold.memories (tenant_id, task_id, id) where task_id is not null;

-- What was asked of a session is forgotten with it, so it is found by the session.
alter table twofold.idempotency_keys add column target text generated always as (targets -> 0 ->> 'id') stored;
create index idempotency_keys_by_session on twofold.idempotency_keys (tenant_id, target) where starts_with(operation, 'sessions.');

create table twofold.session_events (
  tenant_id int not null,
  session_id uuid not null,
  seq int not null,
  -- As it was sent, and answered so: jsonb would reorder its keys and spell out its numbers, 1e308 in 309 digits.
  event json not null,
  -- Of the event as text.
  bytes int not null,
  task_id text,
  created_at timestamptz not null,
  primary key (tenant_id, session_id, seq),
  foreign key (tenant_id, session_id) references twofold.sessions on delete cascade
);

-- What is old of long sessions: a row for a few hundred events, compressed as one. A session of 100,000 events is a
-- thousand rows and five hundred of these, which is also what its deletion has to remove.
create table twofold.archived_events (
  tenant_id int not null,
  session_id uuid not null,
  last_seq int not null,
  -- Of all its events, so that those of one task are found without opening the others.
  tasks text[] not null,
  -- [{ seq, event, bytes, task_id, created_at }]
  events json not null,
  primary key (tenant_id, session_id, last_seq),
  foreign key (tenant_id, session_id) references twofold.sessions on delete cascade
);

-- The state that all sessions of a user (`user:alice`) or of an app (`app:assistant`) share: keys with their prefixes.
create table twofold.shared_state (
  tenant_id int not null references twofold.tenants on delete cascade,
  namespace text collate "C" not null,
  state jsonb not null,
  version int not null default 1,
  updated_at timestamptz not null,
  primary key (tenant_id, namespace)
);

do $$ declare t text; begin
  foreach t in array array['session_events', 'archived_events', 'shared_state'] loop
    execute format('alter table twofold.%I enable row level security', t);
    execute format('create policy tenant on twofold.%I to twofold_app using (tenant_id = twofold.current_tenant()) with check (tenant_id = twofold.current_tenant())', t);
    execute format('grant select, insert, update, delete on twofold.%I to twofold_app', t);
  end loop;
end $$;

-- Until now each session had its own of it: the latest holds.
insert into twofold.shared_state (tenant_id, namespace, state, updated_at)
select k.tenant_id, k.namespace, jsonb_object_agg(k.key, k.value order by k.updated_at), max(k.updated_at)
from (
  select s.tenant_id, s.updated_at, e.key, e.value, case when starts_with(e.key, 'user:') then 'user:' || s.user_id else 'app:' || s.app_name end as namespace
  from twofold.sessions s cross join jsonb_each(s.state) e where starts_with(e.key, 'user:') or starts_with(e.key, 'app:')) k
where k.namespace is not null
group by k.tenant_id, k.namespace;
update twofold.sessions s
set state = (select coalesce(jsonb_object_agg(e.key, e.value), '{}') from jsonb_each(s.state) e where not starts_with(e.key, 'user:') and not starts_with(e.key, 'app:'));

-- `target` after the merge patch `patch` (RFC 7396).
create function twofold.merge_patch(target jsonb, patch jsonb) returns jsonb language plpgsql immutable parallel safe as $$
declare
  merged jsonb := case when jsonb_typeof(target) = 'object' then target else '{}' end;
begin
  if jsonb_typeof(patch) <> 'object' then
    return patch;
  end if;
  return (merged - array(select key from jsonb_each(patch) where value = 'null'))
    || coalesce((select jsonb_object_agg(key, twofold.merge_patch(merged -> key, value)) from jsonb_each(patch) where value <> 'null'), '{}');
end $$;

-- A key without a prefix and the same with `session:` are one: the other spelling, null where there is none.
create function twofold.other_spelling(key text) returns text language sql immutable parallel safe as $$
  select case when starts_with(key, 'session:') then substr(key, 9) when strpos(key, ':') = 0 then 'session:' || key end
$$;

-- The keys of `given` as `state` spells them already.
create function twofold.spelled_as_in(state jsonb, given jsonb) returns jsonb language sql immutable parallel safe as $$
  select coalesce(jsonb_object_agg(case when state ? twofold.other_spelling(g.key) then twofold.other_spelling(g.key) else g.key end, g.value), '{}')
  from jsonb_each(given) g
$$;

-- All that a session sees: its own, its user's, and its app's where the caller is granted that.
create function twofold.state_of(s twofold.sessions) returns jsonb language sql stable parallel safe as $$
  select s.state
    || coalesce((select u.state from twofold.shared_state u where u.tenant_id = s.tenant_id and u.namespace = s.namespace), '{}')
    || coalesce((select a.state from twofold.shared_state a where a.tenant_id = s.tenant_id and a.namespace = s.app_namespace and twofold.visible(a.namespace)), '{}')
$$;

create or replace function twofold.session_json(s twofold.sessions) returns jsonb language sql stable parallel safe as $$
  select jsonb_build_object('id', s.name, 'appName', s.app_name, 'userId', s.user_id, 'projectId', s.project_id, 'status', s.status,
    'state', twofold.state_of(s), 'metadata', s.metadata, 'eventCount', s.last_seq, 'version', s.version, 'createdAt', twofold.iso(s.created_at),
    'updatedAt', twofold.iso(s.updated_at), 'terminatedAt', twofold.iso(s.terminated_at), 'archivedAt', twofold.iso(s.archived_at))
$$;

-- Moves the oldest events of a session, which is locked, into a page: those up to `until`, as far as `most` bytes hold them,
-- and one at least. A function, so that what is called at one append in two hundred is planned then and not at each.
create function twofold.archive_events(session uuid, until int, most int) returns void language plpgsql as $$
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
end $$;

-- An event makes a new version of its session, of which the graph shows nothing: the version goes from what it shows.
update twofold.ledger set revision = revision + 1, owed_since = case when revision = shown then now() else owed_since end where kind = 'session';
