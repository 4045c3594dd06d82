-- Runs that go on by themselves, and a graph that is rebuilt beside the one that is read.

-- How far a run has come, so that whoever takes it next goes on from there.
alter table twofold.sync_runs
  -- Where it looks; and the key that asked for it, none when a schedule did.
  add column prefixes text[] not null default '{*}',
  add column asked_by text,
  -- At most one such run of a tenant at a time: the rebuild of all of it.
  add column exclusive boolean not null default false,
  add column phase_since timestamptz,
  -- Things of this phase.
  add column done int not null default 0,
  add column total int not null default 0,
  add column owed int not null default 0,
  -- What it found first, without what the things hold.
  add column listed jsonb not null default '[]',
  -- The generation that it fills.
  add column generation int,
  add column lease uuid,
  -- After a failure: not before then either.
  add column leased_until timestamptz,
  add column failures int not null default 0,
  add column failure text,
  add column stop_asked boolean not null default false,
  add column outcome text;
alter table twofold.sync_runs alter column cursor type text;
create unique index sync_runs_exclusive on twofold.sync_runs (tenant_id) where exclusive and ended_at is null;
create index sync_runs_open on twofold.sync_runs (tenant_id, started_at) where ended_at is null;
-- What has ended is forgotten in time.
grant delete on twofold.sync_runs, twofold.drift to twofold_app;
create index drift_repaired on twofold.drift (tenant_id, repaired_at) where repaired_at is not null;
create index sync_runs_last on twofold.sync_runs (tenant_id, operation, started_at);

-- What was shown lately. The time first: see ledger_by_bucket.
create index ledger_by_shown on twofold.ledger (shown_at, tenant_id);

-- The generations of a tenant's graph beside the one that is read: one that a rebuild fills, and those that nobody reads
-- any more, until their nodes are gone.
create table twofold.graph_generations (
  tenant_id int not null references twofold.tenants on delete cascade,
  generation int not null,
  state text not null check (state in ('filling', 'retired', 'dropped')),
  since timestamptz not null,
  primary key (tenant_id, generation)
);
create unique index graph_generations_filling on twofold.graph_generations (tenant_id) where state = 'filling';
create index graph_generations_retired on twofold.graph_generations (since) where state = 'retired';
alter table twofold.graph_generations enable row level security;
create policy tenant on twofold.graph_generations to twofold_app using (tenant_id = twofold.current_tenant()) with check (tenant_id = twofold.current_tenant());
grant select, delete, update (state) on twofold.graph_generations to twofold_app;

-- Never given twice: what a stalled writer leaves in a generation that is gone must not turn up in a new one.
alter table twofold.tenants add column graph_generations_made int not null default 1;

create or replace function twofold.graph_state() returns table (generations int[], epoch int)
language sql stable security definer set search_path = twofold, pg_temp as $$
  select array[t.graph_generation] || array(select g.generation from graph_generations g where g.tenant_id = t.id and g.state = 'filling'), t.graph_epoch
  from tenants t where t.id = current_tenant()
$$;

-- A new generation for this run, or the one it has: from now on graph writes go to both, and what was leased before
-- settles nothing. Null when the run is not under way, or another one fills.
create function twofold.begin_generation(run uuid, at timestamptz) returns int
language plpgsql volatile security definer set search_path = twofold, pg_temp as $$
declare made int;
begin
  select r.generation into made from sync_runs r where r.tenant_id = current_tenant() and r.id = run and r.ended_at is null for update;
  if not found or made is not null then return made; end if;
  if exists (select from graph_generations g where g.tenant_id = current_tenant() and g.state = 'filling') then return null; end if;
  update tenants set graph_epoch = graph_epoch + 1, graph_generations_made = graph_generations_made + 1
    where id = current_tenant() returning graph_generations_made into made;
  insert into graph_generations (tenant_id, generation, state, since) values (current_tenant(), made, 'filling', at);
  update sync_runs set generation = made where tenant_id = current_tenant() and id = run;
  return made;
end $$;

-- The filled generation is the one that is read from now on. Twice is once.
create function twofold.switch_generation(filled int, at timestamptz) returns void
language plpgsql volatile security definer set search_path = twofold, pg_temp as $$
declare former int;
begin
  select t.graph_generation into former from tenants t where t.id = current_tenant() for update;
  delete from graph_generations where tenant_id = current_tenant() and generation = filled and state = 'filling';
  if not found then return; end if;
  update tenants set graph_generation = filled, graph_epoch = graph_epoch + 1 where id = current_tenant();
  insert into graph_generations (tenant_id, generation, state, since) values (current_tenant(), former, 'retired', at);
end $$;

-- A generation that will not be read: its nodes go like those of one that was.
create function twofold.abandon_generation(filled int, at timestamptz) returns void
language plpgsql volatile security definer set search_path = twofold, pg_temp as $$
begin
  perform from tenants t where t.id = current_tenant() for update;
  update graph_generations set state = 'retired', since = at where tenant_id = current_tenant() and generation = filled and state = 'filling';
  if found then update tenants set graph_epoch = graph_epoch + 1 where id = current_tenant(); end if;
end $$;

create or replace function twofold.tenants_with(work text, at timestamptz, most int) returns table (tenant uuid)
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
    union all select min(l.parked_at) from ledger l where work = 'parked' and l.tenant_id = t.id and l.parked_at <= at
    -- Runs that nobody is at.
    union all select min(r.started_at) from sync_runs r
      where work = 'runs' and r.tenant_id = t.id and r.ended_at is null and (r.leased_until is null or r.leased_until <= at)
    union all select min(r.started_at) from sync_runs r where work = 'history' and r.tenant_id = t.id and r.started_at <= at and r.ended_at <= at
    union all select min(d.repaired_at) from drift d where work = 'history' and d.tenant_id = t.id and d.repaired_at <= at
    union all select min(g.since) from graph_generations g where work = g.state and work in ('retired', 'dropped') and g.tenant_id = t.id and g.since <= at
    -- Not looked at as a whole since then, by a schedule.
    union all select t.created_at
      where work = 'nightly' and t.created_at < at and not exists (
        select from sync_runs r where r.tenant_id = t.id and r.operation = 'nightly' and r.started_at >= at)
    -- Where something was shown that the last look at what changed may not have seen: it was about to be noted then.
    union all select min(l.shown_at) from ledger l
      where work = 'changed' and l.tenant_id = t.id and l.shown_at > (
        select coalesce(max(r.started_at) - interval '2 minutes', '-infinity') from sync_runs r
        where r.tenant_id = t.id and r.operation = 'incremental' and r.ended_at is not null)
        and not exists (select from sync_runs r where r.tenant_id = t.id and r.operation = 'incremental' and r.ended_at is null)
  ) w on w.since is not null
  order by w.since
  limit most
$$;
