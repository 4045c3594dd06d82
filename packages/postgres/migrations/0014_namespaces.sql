-- Namespaces: their keys, what there is in them, and for how long it is kept.

-- What it ends by when it says nothing itself: an episode of which nothing important is known, and what is temporary.
-- `ends_at` is when it is gone, for whichever reason.
drop view twofold.readable_memories;
alter table twofold.memories
  add column fades_at timestamptz,
  add column ends_at timestamptz generated always as (least(expires_at, fades_at)) stored;
create view twofold.readable_memories with (security_invoker = true) as
  select m.*, twofold.memory_json(m) as json from twofold.memories m where m.pending_until is null;
grant select on twofold.readable_memories to twofold_app;
drop index twofold.memories_expiring;
create index memories_expiring on twofold.memories (tenant_id, ends_at) where ends_at is not null and deleted_at is null;

-- The index of keys says by itself which memory has one, and at which version it is; that of former keys, which had it last.
drop index twofold.memories_by_key;
create unique index memories_by_key on twofold.memories (tenant_id, namespace, key) include (id, version, pending_until)
  where key is not null and deleted_at is null;
create index memories_by_former_key on twofold.memories (tenant_id, namespace, key, deleted_at) include (id, pending_until)
  where key is not null and deleted_at is not null;
-- What there is of each type, counted without a look at the rows; and what changed last.
create index memories_live on twofold.memories (tenant_id, namespace, type, id) include (pending_until, ends_at) where deleted_at is null;
create index memories_by_change on twofold.memories (tenant_id, namespace, updated_at) where deleted_at is null;
create index memories_by_type on twofold.memories (tenant_id, type, updated_at, id);

-- How long what lies in a namespace or below is kept: the nearest up the hierarchy decides, as a whole.
create table twofold.namespace_policies (
  tenant_id int not null references twofold.tenants on delete cascade,
  namespace text collate "C" not null,
  subject text collate "C" not null generated always as (twofold.subject_of(namespace)) stored,
  -- Past versions beside the current one are kept when they are among the last so many, or the last of their day. Null: all.
  keep_versions int,
  daily_versions_after_days int,
  -- Null: for ever.
  episodic_days int,
  temp_hours int not null,
  updated_by text not null,
  updated_at timestamptz not null,
  -- After which memory old versions are squashed next, and when; null: there is nothing to squash.
  squash_after_namespace text collate "C" not null,
  squash_after_id uuid not null,
  squash_at timestamptz,
  primary key (tenant_id, namespace)
);
create index namespace_policies_to_squash on twofold.namespace_policies (tenant_id, squash_at) where squash_at is not null;

-- Prefixes whose policy has changed, and the last memory, by namespace and id, that has heard of it.
create table twofold.policy_changes (
  tenant_id int not null references twofold.tenants on delete cascade,
  namespace text collate "C" not null,
  subject text collate "C" not null generated always as (twofold.subject_of(namespace)) stored,
  after_namespace text collate "C" not null,
  after_id uuid not null,
  since timestamptz not null,
  primary key (tenant_id, namespace)
);

do $$ declare t text; begin
  foreach t in array array['namespace_policies', 'policy_changes'] loop
    execute format('alter table twofold.%I enable row level security', t);
    execute format('create policy tenant on twofold.%I to twofold_app using (tenant_id = twofold.current_tenant()) with check (tenant_id = twofold.current_tenant())', t);
    execute format('grant select, insert, update, delete on twofold.%I to twofold_app', t);
  end loop;
end $$;

-- Squashed versions are gone. The one before them notes when the first of them was made: from then on it was not current.
alter table twofold.memory_versions add column ended_at timestamptz;

-- `user`, `user:alice` and `user:alice:trips` for the last of them.
create function twofold.ancestors_of(namespace text) returns text[] language sql immutable parallel safe as $$
  select array_agg(array_to_string(s.parts[1:n], ':')) from (select string_to_array(namespace, ':') as parts) s, generate_series(1, cardinality(s.parts)) n
$$;

-- The policy that applies there: the nearest, else what holds where there is none.
create function twofold.policy_of(tenant int, place text)
returns table (namespace text, keep_versions int, daily_versions_after_days int, episodic_days int, temp_hours int, updated_by text, updated_at timestamptz)
language sql stable parallel safe as $$
  (select p.namespace, p.keep_versions, p.daily_versions_after_days, p.episodic_days, p.temp_hours, p.updated_by, p.updated_at
    from twofold.namespace_policies p where p.tenant_id = tenant and p.namespace = any (twofold.ancestors_of(place)) order by length(p.namespace) desc limit 1)
  union all (select null, null, null, 90, 24, null, null)
  limit 1
$$;

-- When a memory that was written `at` then ends by the policy of its namespace. Its own time wins.
create function twofold.fades_at(tenant int, place text, type text, importance double precision, expires_at timestamptz, at timestamptz)
returns timestamptz language sql stable parallel safe as $$
  select at + interval '1 hour' * case
    when expires_at is not null then null
    when split_part(place, ':', 1) = 'temp' then p.temp_hours
    when type = 'episodic' and importance < 8 then 24 * p.episodic_days
  end
  from twofold.policy_of(tenant, place) p
$$;

-- Whoever writes a memory, by whatever statement.
create function twofold.fade() returns trigger language plpgsql as $$
begin
  new.fades_at := twofold.fades_at(new.tenant_id, new.namespace, new.type, new.importance, new.expires_at, new.updated_at);
  return new;
end $$;
create trigger fading before insert or update of type, importance, expires_at on twofold.memories for each row
  when (new.type = 'episodic' or new.namespace like 'temp:%' or new.fades_at is not null) execute function twofold.fade();
-- What was there before has its time from now on.
update twofold.memories m set fades_at = twofold.fades_at(m.tenant_id, m.namespace, m.type, m.importance, m.expires_at, now())
where m.type = 'episodic' or m.namespace like 'temp:%';

-- What is temporary ends with its session: what lies in `temp:<session>` or comes from it, as far as whoever ends it may see it.
create function twofold.end_temporary() returns trigger language plpgsql as $$
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
end $$;
create trigger ended after update of terminated_at on twofold.sessions for each row
  when (old.terminated_at is null and new.terminated_at is not null) execute function twofold.end_temporary();
create trigger removed after delete on twofold.sessions for each row
  when (old.terminated_at is null) execute function twofold.end_temporary();

-- Memories are due by whatever ends them; and two more sorts of work.
do $$
declare
  known text := pg_get_functiondef('twofold.tenants_with(text, timestamptz, int)'::regprocedure);
begin
  execute replace(replace(known, 'm.expires_at', 'm.ends_at'), ') w on w.since', '
    union all select min(c.since) from policy_changes c where work = ''policies'' and c.tenant_id = t.id and c.since <= at
    union all select min(p.squash_at) from namespace_policies p where work = ''squash'' and p.tenant_id = t.id and p.squash_at <= at
  ) w on w.since');
end $$;
