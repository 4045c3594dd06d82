-- Who runs a schedule at this moment, and how its last round went. Of no tenant: only the functions below reach it.

create table twofold.schedules (
  name text collate "C" primary key,
  -- The round that is under way, and when it is over at the latest, whatever became of its process.
  holder uuid,
  held_until timestamptz,
  begun_at timestamptz not null,
  ended_at timestamptz,
  -- The last round that failed; the failure is null again after one that went well.
  failed_at timestamptz,
  failure text
);

-- Takes a schedule while nobody holds it and, with `due`, unless one that began since has ended. Asked again by the same holder the answer is the same.
create function twofold.begin_schedule(schedule text, round uuid, at timestamptz, until timestamptz, due timestamptz) returns boolean
language sql security definer set search_path = twofold, pg_temp as $$
  with taken as (
    insert into schedules as s (name, holder, held_until, begun_at) values (schedule, round, until, at)
    on conflict (name) do update set holder = excluded.holder, held_until = excluded.held_until, begun_at = excluded.begun_at
      where s.holder = round or ((s.holder is null or s.held_until <= at)
        -- One that did not come to its end is still due.
        and (due is null or s.begun_at < due or s.ended_at is null or s.ended_at < s.begun_at))
    returning 1)
  select exists (select from taken)
$$;

create function twofold.end_schedule(schedule text, round uuid, at timestamptz, what text) returns void
language sql security definer set search_path = twofold, pg_temp as $$
  update schedules s set holder = null, held_until = null, ended_at = at, failure = what,
    failed_at = case when what is null then s.failed_at else at end
  where s.name = schedule and s.holder = round
$$;

create function twofold.schedule_begun(schedule text) returns timestamptz
language sql stable security definer set search_path = twofold, pg_temp as
$$ select begun_at from schedules where name = schedule $$;

-- What the graph refused to the end is drift too, found by the writer and by no run, until the graph takes it.
alter table twofold.drift alter column run_id drop not null;
alter table twofold.drift add column parked boolean not null default false;
insert into twofold.drift (tenant_id, id, kind, thing, what, subject, bucket, deep, parked, found_at)
select l.tenant_id, gen_random_uuid(), case when l.digest_high is null then 'missing' else 'stale' end, l.id::text, l.kind, l.subject, l.bucket, false, true, l.parked_at
from twofold.ledger l where l.parked_at is not null
on conflict (tenant_id, kind, thing, what) where repaired_at is null do update set parked = true;
create index drift_parked on twofold.drift (tenant_id, thing) where parked and repaired_at is null;
create index ledger_parked on twofold.ledger (tenant_id, parked_at) where parked_at is not null;

-- How the graph stands over all tenants, for the alarms; it names none.
create function twofold.graph_standing_of_all() returns table (owed int, oldest_owed timestamptz, parked int, drift int)
language sql stable security definer set search_path = twofold, pg_temp as $$
  select (select count(*) from ledger l where l.revision <> l.shown and l.parked_at is null)::int,
    (select min(l.owed_since) from ledger l where l.revision <> l.shown and l.parked_at is null),
    (select count(*) from ledger l where l.parked_at is not null)::int,
    (select count(*) from drift d where d.repaired_at is null)::int
$$;

-- Tenants in an order that another seed changes, so that who has no time for all of them looks at others the next time.
create function twofold.tenants_shuffled(seed text) returns table (tenant uuid)
language sql stable security definer set search_path = twofold, pg_temp as
$$ select t.uuid from tenants t where t.suspended_at is null order by md5(t.uuid || seed) $$;
