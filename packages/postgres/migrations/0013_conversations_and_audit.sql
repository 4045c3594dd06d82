-- What was said in a conversation, as long as it is worth knowing; and who read or changed what.

create table twofold.conversations (
  tenant_id int not null references twofold.tenants on delete cascade,
  id uuid not null,
  -- The caller's own id.
  name text collate "C" not null,
  namespace text collate "C" not null,
  subject text collate "C" not null generated always as (twofold.subject_of(namespace)) stored,
  user_id text,
  -- Of turns that do not say themselves how long they live; null: as the configuration says.
  ttl_hours double precision,
  -- Turns ever, those that are gone included: how much work its removal can be.
  written int not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  -- When its latest turn was said, and when the last of them expires: from then on it is as if it had never been.
  last_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index conversations_by_name on twofold.conversations (tenant_id, name);
create index conversations_by_namespace on twofold.conversations (tenant_id, namespace, id);
create index conversations_expiring on twofold.conversations (tenant_id, expires_at);
create index conversations_by_last on twofold.conversations (tenant_id, last_at);

create table twofold.turns (
  tenant_id int not null,
  id uuid not null,
  conversation_id uuid not null,
  query text not null,
  answer text not null,
  -- When it was said, which is not when it came.
  at timestamptz not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  -- The memory that was made of it. That one stays when the turn goes.
  memory_id uuid,
  -- Whose request it came in, and under which idempotency key.
  actor text not null,
  idempotency_key text,
  primary key (tenant_id, id),
  foreign key (tenant_id, conversation_id) references twofold.conversations on delete cascade
);
create index turns_by_time on twofold.turns (tenant_id, conversation_id, at, id) include (expires_at);
create index turns_expiring on twofold.turns (tenant_id, expires_at);

do $$ declare t text; begin
  foreach t in array array['conversations', 'turns'] loop
    execute format('alter table twofold.%I enable row level security', t);
    execute format('create policy tenant on twofold.%I to twofold_app using (tenant_id = twofold.current_tenant()) with check (tenant_id = twofold.current_tenant())', t);
    execute format('grant select, insert, update, delete on twofold.%I to twofold_app', t);
  end loop;
end $$;

-- What idempotency rows know of the requests that said what is gone, in whichever way it went: nothing from now on. A key
-- that was used anew since is another request's.
create function twofold.release_turns() returns trigger language plpgsql as $$
begin
  update twofold.idempotency_keys k set request_hash = null
  from gone g
  where k.tenant_id = g.tenant_id and k.key_id = g.actor and k.key = g.idempotency_key
    and k.key = any(array(select o.idempotency_key from gone o where o.idempotency_key is not null))
    and k.key_id = any(array(select distinct o.actor from gone o where o.idempotency_key is not null))
    and k.targets @> jsonb_build_array(jsonb_build_object('id', g.id));
  return null;
end $$;
create trigger removed after delete on twofold.turns referencing old table as gone for each statement execute function twofold.release_turns();

-- The audit is read by time, newest first. What was asked of everything at once has the empty namespace, which only a
-- grant of everything covers.
update twofold.audit_log set namespace = '' where namespace is null;
alter table twofold.audit_log alter column namespace set not null;
drop index twofold.audit_log_by_target;
create index audit_log_by_target on twofold.audit_log (tenant_id, target, at, id);
create index audit_log_by_time on twofold.audit_log (tenant_id, at, id);
create index audit_log_by_actor on twofold.audit_log (tenant_id, actor, at, id);
create index audit_log_by_action on twofold.audit_log (tenant_id, action, at, id);
create index audit_log_by_namespace on twofold.audit_log (tenant_id, namespace, at, id);
create index audit_log_by_behalf on twofold.audit_log (tenant_id, on_behalf_of, at, id) where on_behalf_of is not null;

create or replace function twofold.audit(act text, targets uuid[], namespaces text[], versions int[], at timestamptz) returns void language sql as $$
  insert into twofold.audit_log (tenant_id, at, actor, on_behalf_of, request_id, action, target, namespace, version)
  select twofold.current_tenant(), at, twofold.current_actor(), nullif(current_setting('twofold.behalf', true), ''),
    nullif(current_setting('twofold.request', true), ''), act, t.target, coalesce(t.namespace, ''), t.version
  from unnest(targets, namespaces, versions) t (target, namespace, version)
$$;

-- What was read and what was refused, noted after the answer: by whom is known by the key's id, else by its hash; of a key
-- that is no key nothing is noted. Where the thing lies is looked up, unless the request said so.
create function twofold.note_audit(notes jsonb) returns void language sql security definer set search_path = twofold, pg_temp as $$
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
$$;

-- The only way in which anything of it goes, beside its tenant: oldest first, and never what is younger than a day, whoever asks.
create function twofold.forget_audit(before timestamptz, most int) returns int language sql security definer set search_path = twofold, pg_temp as $$
  with old as (
    select a.id from audit_log a where a.tenant_id = current_tenant() and a.at < least(before, now() - interval '1 day') order by a.at limit most),
  gone as (delete from audit_log a using old where a.tenant_id = current_tenant() and a.id = old.id returning 1)
  select count(*)::int from gone
$$;

-- Two more sorts of work.
do $$
declare
  known text := pg_get_functiondef('twofold.tenants_with(text, timestamptz, int)'::regprocedure);
begin
  execute replace(known, ') w on w.since', '
    union all select min(u.expires_at) from turns u where work = ''turns'' and u.tenant_id = t.id and u.expires_at <= tenants_with.at
    union all select min(c.expires_at) from conversations c where work = ''turns'' and c.tenant_id = t.id and c.expires_at <= at
    union all select min(a.at) from audit_log a where work = ''audit'' and a.tenant_id = t.id and a.at <= tenants_with.at
  ) w on w.since');
end $$;
