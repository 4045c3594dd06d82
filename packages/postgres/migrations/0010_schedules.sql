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

-- Takes a schedule while nobody holds it and, with `due`, unless it has begun since. Asked again by the same holder the answer is the same.
create function twofold.begin_schedule(schedule text, round uuid, at timestamptz, until timestamptz, due timestamptz) returns boolean
language sql security definer set search_path = twofold, pg_temp as $$
  with taken as (
    insert into schedules as s (name, holder, held_until, begun_at) values (schedule, round, until, at)
    on conflict (name) do update set holder = excluded.holder, held_until = excluded.held_until, begun_at = excluded.begun_at
      where s.holder = round or ((s.holder is null or s.held_until <= at) and (due is null or s.begun_at < due))
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
