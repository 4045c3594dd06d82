-- Tenants may be spread over several databases, each with a graph of its own. Every database that knows a tenant says where it lives,
-- and does nothing for one that lives elsewhere: whoever asks is told where, and a copy that was left behind is never written.

alter table twofold.tenants add column placement text collate "C" not null default 'home'
  check (placement ~ '^[a-z][a-z0-9-]{0,30}$');

-- Which of the places this connection was made for.
create function twofold.here() returns text language sql stable parallel safe as
$$ select coalesce(nullif(current_setting('twofold.place', true), ''), 'home') $$;

create function twofold.must_live_here(placement text) returns void language plpgsql as $$
begin
  if placement <> twofold.here() then
    raise exception using errcode = 'TW004', message = placement;
  end if;
end $$;

-- The operator's verbs: a tenant is made where it shall live, and home knows where that is.
drop function twofold.make_tenant(uuid, text, uuid, bytea, timestamptz);
create function twofold.make_tenant(tenant uuid, tenant_name text, key_id uuid, key_hash bytea, at timestamptz) returns jsonb
language plpgsql security definer set search_path = twofold, pg_temp as $$
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
end $$;

-- Home notes that a tenant is made elsewhere, before it is made there; said again, it answers the same, so that what broke off
-- in between can be finished.
create function twofold.place_tenant(tenant uuid, tenant_name text, place text, at timestamptz) returns table (id uuid, created_at timestamptz)
language plpgsql security definer set search_path = twofold, pg_temp as $$
begin
  insert into tenants (uuid, name, placement, created_at) values (tenant, tenant_name, place, at) on conflict (name) do nothing;
  return query select t.uuid, t.created_at from tenants t where t.name = tenant_name and t.placement = place and place <> here();
  if not found then
    perform refuse('conflict', 'A tenant of this name exists.');
  end if;
end $$;

drop function twofold.list_tenants(uuid, int);
create function twofold.list_tenants(after uuid, most int)
returns table (id uuid, name text, placement text, created_at timestamptz, suspended_at timestamptz)
language sql stable security definer set search_path = twofold, pg_temp as $$
  select t.uuid, t.name, t.placement, t.created_at, t.suspended_at from tenants t where after is null or t.uuid > after order by t.uuid limit most
$$;

drop function twofold.suspend_tenant(uuid, timestamptz);
create function twofold.suspend_tenant(tenant uuid, at timestamptz)
returns table (id uuid, name text, placement text, created_at timestamptz, suspended_at timestamptz)
language sql security definer set search_path = twofold, pg_temp as $$
  update tenants t set suspended_at = case when at is null then null else coalesce(t.suspended_at, at) end where t.uuid = tenant
  returning t.uuid, t.name, t.placement, t.created_at, t.suspended_at
$$;

create or replace function twofold.act_for(tenant uuid) returns void language plpgsql security definer set search_path = twofold, pg_temp as $$
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
end $$;

-- Whoever acts for a tenant does so where it lives; and what spans tenants means those that live here.
do $$
declare
  change record;
  known text;
begin
  for change in select * from (values
    ('twofold.authorize(bytea, text, text[], text[], timestamptz, text, text)',
      '  if holder.suspended_at is not null then', E'  perform must_live_here(holder.placement);\n  if holder.suspended_at is not null then'),
    ('twofold.authorize(bytea, text, text[], text[], timestamptz, text, text)',
      't.uuid, t.suspended_at into holder', 't.uuid, t.suspended_at, t.placement into holder'),
    ('twofold.act_for_source(text, text, text, text)',
      '  if holder.suspended_at is not null then', E'  perform must_live_here(holder.placement);\n  if holder.suspended_at is not null then'),
    ('twofold.tenants_with(text, timestamptz, int)', '  order by w.since', E'  where t.placement = here()\n  order by w.since'),
    ('twofold.tenants_with_documents(text, timestamptz, int)', '  group by t.uuid', E'  where t.placement = here()\n  group by t.uuid'),
    ('twofold.tenants_shuffled(text)', 'where t.suspended_at is null', 'where t.suspended_at is null and t.placement = here()')
  ) as c (signature, was, now) loop
    known := pg_get_functiondef(change.signature::regprocedure);
    if position(change.was in known) = 0 then
      raise exception '% no longer says %', change.signature, change.was;
    end if;
    execute replace(known, change.was, change.now);
  end loop;
end $$;
