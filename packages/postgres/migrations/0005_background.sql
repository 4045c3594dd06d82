-- What no request waits for.

create index memories_expiring on twofold.memories (tenant_id, expires_at) where expires_at is not null and deleted_at is null;

-- Tenants that have background work of one sort, longest waiting first: the one thing that spans tenants. Due is what
-- is older than `at`.
create function twofold.tenants_with(work text, at timestamptz, most int) returns table (tenant uuid)
language sql stable security definer set search_path = twofold, pg_temp as $$
  select t.uuid
  from tenants t
  join lateral (
    select min(l.owed_since) as since from ledger l
    where work = 'graph' and l.tenant_id = t.id and l.revision <> l.shown and l.parked_at is null
      and (l.leased_until is null or l.leased_until <= at) and (l.not_before is null or l.not_before <= at)
    union all
    select (select m.updated_at from memories m
      where m.tenant_id = t.id and (m.owes_embedding or m.owes_entities) and m.deleted_at is null and m.pending_until is null limit 1)
    where work = 'models'
    union all select min(m.pending_until) from memories m where work = 'pending' and m.tenant_id = t.id and m.pending_until <= at
    union all select min(m.expires_at) from memories m where work = 'expired' and m.tenant_id = t.id and m.deleted_at is null and m.expires_at <= at
    union all select min(c.since) from collectable c where work = 'collect' and c.tenant_id = t.id
    union all select min(l.tombstone_at) from ledger l where work = 'tombstones' and l.tenant_id = t.id and l.tombstone_at <= at
    union all select min(k.created_at) from idempotency_keys k where work = 'requests' and k.tenant_id = t.id and k.created_at <= at
  ) w on w.since is not null
  order by w.since
  limit most
$$;
