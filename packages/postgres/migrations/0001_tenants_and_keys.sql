-- Who may do what: tenants, their keys, and the one place that decides. The application role owns nothing; what it may
-- not read (other tenants, key hashes) it can only ask of the definer functions below.

do $$ begin
  create role twofold_app nologin;
exception when duplicate_object or unique_violation then null;
end $$;
grant usage on schema twofold to twofold_app;
create extension if not exists vector with schema public;

create table twofold.tenants (
  id int generated always as identity primary key,
  uuid uuid not null unique,
  name text not null unique,
  created_at timestamptz not null,
  suspended_at timestamptz,
  -- The generation of the graph that readers see, and the epoch that fences writers while two generations live.
  graph_generation int not null default 1,
  graph_epoch int not null default 1
);

create table twofold.api_keys (
  tenant_id int not null references twofold.tenants on delete cascade,
  id uuid primary key,
  name text not null,
  hash bytea not null unique,
  former_hash bytea unique,
  former_until timestamptz,
  scopes text[] not null,
  namespaces text[] not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);
create index api_keys_by_tenant on twofold.api_keys (tenant_id, id);

create function twofold.current_tenant() returns int language sql stable parallel safe as
$$ select nullif(current_setting('twofold.tenant', true), '')::int $$;

create function twofold.current_actor() returns text language sql stable parallel safe as
$$ select coalesce(nullif(current_setting('twofold.actor', true), ''), 'system') $$;

-- An expected failure, raised so that it takes the whole statement list with it.
create function twofold.refuse(code text, message text, details jsonb default '{}') returns void language plpgsql as $$
begin
  raise exception using errcode = 'TW001', message = code, detail = jsonb_build_object('message', message) || details;
end $$;

-- Somebody else was quicker in a way that running the list again resolves.
create function twofold.run_again(what text) returns void language plpgsql as $$
begin
  raise exception using errcode = 'TW002', message = what;
end $$;

-- The half-open ranges, in C collation, that a grant covers: itself, and everything below it by whole segments.
create function twofold.ranges_of(grants text[]) returns table (low text, high text) language sql immutable parallel safe as $$
  select '', U&'\+10FFFF' from unnest(grants) g where g = '*'
  union all select g, g || U&'\0001' from unnest(grants) g where g <> '*'
  union all select g || ':', g || ';' from unnest(grants) g where g <> '*'
$$;

-- What the caller may see at all.
create function twofold.granted() returns table (low text, high text) language sql stable parallel safe as $$
  select g.low, g.high
  from unnest(nullif(current_setting('twofold.lows', true), '')::text[], nullif(current_setting('twofold.highs', true), '')::text[]) g (low, high)
$$;

create function twofold.visible(namespace text) returns boolean language sql stable parallel safe as $$
  select exists (select from twofold.granted() g where namespace >= g.low collate "C" and namespace < g.high collate "C")
$$;

-- Decides, in the transaction that answers, whether a key may do this. Read-only, or every request would lock the key's row.
-- `wanted_lows/highs` are the ranges of the namespaces that the request names: each must lie inside one grant.
create function twofold.authorize(
  key_hash bytea, wanted_scope text, wanted_lows text[], wanted_highs text[], at timestamptz, request_id text, on_behalf_of text
) returns jsonb language plpgsql security definer set search_path = twofold, pg_temp as $$
declare
  holder record;
  lows text[];
  highs text[];
begin
  select k.*, t.uuid, t.suspended_at into holder
  from api_keys k join tenants t on t.id = k.tenant_id
  where (k.hash = key_hash or (k.former_hash = key_hash and k.former_until > at))
    and k.revoked_at is null and (k.expires_at is null or k.expires_at > at);
  if not found then
    perform refuse('unauthenticated', 'The API key is unknown, revoked or expired.');
  end if;
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
end $$;

-- Background work of one tenant: everything of it, nothing of another.
create function twofold.act_for(tenant uuid) returns void language plpgsql security definer set search_path = twofold, pg_temp as $$
declare
  number int;
begin
  select t.id into number from tenants t where t.uuid = tenant;
  if number is null then
    perform refuse('not_found', 'There is no such tenant.');
  end if;
  perform set_config('twofold.tenant', number::text, true), set_config('twofold.actor', '', true),
    set_config('twofold.lows', '{""}', true), set_config('twofold.highs', array[U&'\+10FFFF']::text, true),
    set_config('twofold.request', '', true), set_config('twofold.behalf', '', true);
end $$;

-- Called off the request, at most once a minute for each key.
create function twofold.touch_key(key_hash bytea, at timestamptz) returns void language sql security definer set search_path = twofold, pg_temp as $$
  update api_keys set last_used_at = greatest(last_used_at, at) where hash = key_hash or former_hash = key_hash
$$;

-- The operator's verbs. The operator's key itself is no row: it is compared before these are called.
create function twofold.make_tenant(tenant uuid, tenant_name text, key_id uuid, key_hash bytea, at timestamptz) returns jsonb
language plpgsql security definer set search_path = twofold, pg_temp as $$
declare
  number int;
begin
  insert into tenants (uuid, name, created_at) values (tenant, tenant_name, at) on conflict (name) do nothing returning id into number;
  if number is null then
    perform refuse('conflict', 'A tenant of this name exists.');
  end if;
  insert into api_keys (tenant_id, id, name, hash, scopes, namespaces, created_at)
  values (number, key_id, 'first admin key', key_hash, '{admin}', '{*}', at);
  return jsonb_build_object('id', tenant, 'name', tenant_name, 'createdAt', at, 'suspendedAt', null);
end $$;

create function twofold.list_tenants(after uuid, most int) returns table (id uuid, name text, created_at timestamptz, suspended_at timestamptz)
language sql stable security definer set search_path = twofold, pg_temp as $$
  select t.uuid, t.name, t.created_at, t.suspended_at from tenants t where after is null or t.uuid > after order by t.uuid limit most
$$;

create function twofold.suspend_tenant(tenant uuid, at timestamptz) returns table (id uuid, name text, created_at timestamptz, suspended_at timestamptz)
language sql security definer set search_path = twofold, pg_temp as $$
  update tenants t set suspended_at = case when at is null then null else coalesce(t.suspended_at, at) end where t.uuid = tenant
  returning t.uuid, t.name, t.created_at, t.suspended_at
$$;

-- One machine's own tenant and its admin key, made again under the same name without effect.
create function twofold.ensure_tenant(tenant uuid, tenant_name text, key_id uuid, key_hash bytea, at timestamptz) returns uuid
language plpgsql security definer set search_path = twofold, pg_temp as $$
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
end $$;

-- A new secret under the same id; the old one may live on for a while. Who may call it for which key is decided by the statement that does.
create function twofold.rotate_key(key_id uuid, new_hash bytea, former_lives_until timestamptz) returns void
language sql security definer set search_path = twofold, pg_temp as $$
  update api_keys k set hash = new_hash, former_hash = case when former_lives_until is null then null else k.hash end, former_until = former_lives_until
  where k.id = key_id and k.tenant_id = current_tenant()
$$;

alter table twofold.api_keys enable row level security;
create policy tenant on twofold.api_keys to twofold_app using (tenant_id = twofold.current_tenant()) with check (tenant_id = twofold.current_tenant());
grant select (tenant_id, id, name, former_until, scopes, namespaces, created_at, expires_at, revoked_at, last_used_at),
  insert, update (name, revoked_at) on twofold.api_keys to twofold_app;
-- Only the owner starts a machine's own tenant, and only the operator's verbs span tenants.
revoke execute on function twofold.ensure_tenant from public;
