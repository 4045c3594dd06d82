-- What is owed, who did what, and which requests were already answered.

-- One row for each thing that has a projection. `revision` is what the graph should show, `shown` what it is known to
-- show; a row whose two differ is owed. It outlives the thing, so that a re-created id is newer than its past.
create table twofold.ledger (
  tenant_id int not null references twofold.tenants on delete cascade,
  id uuid not null,
  kind text not null,
  subject text collate "C" not null,
  bucket smallint not null,
  revision int not null,
  shown int not null default 0,
  shown_version int,
  shown_at timestamptz,
  digest_high int,
  digest_low int,
  owed_since timestamptz not null,
  lease uuid,
  leased_until timestamptz,
  attempts int not null default 0,
  -- After a failure: not before then. A poison row that used up its attempts is parked until somebody retries it.
  not_before timestamptz,
  parked_at timestamptz,
  failure text,
  primary key (tenant_id, id)
);
create index ledger_owed on twofold.ledger (tenant_id, owed_since) where revision <> shown;

-- 1,024 buckets a tenant: the last ten bits of the id, which are random in a UUIDv7.
create function twofold.bucket_of(id uuid) returns smallint language sql immutable parallel safe as
$$ select (((get_byte(uuid_send(id), 14) & 3) << 8) | get_byte(uuid_send(id), 15))::smallint $$;

-- Raises the revision of everything in `ids`, in the order of the ids, whatever order they come in.
create function twofold.owe(node_kind text, ids uuid[], subjects text[], at timestamptz) returns void language sql as $$
  insert into twofold.ledger (tenant_id, id, kind, subject, bucket, revision, owed_since)
  select twofold.current_tenant(), w.id, node_kind, w.subject, twofold.bucket_of(w.id), 1, at
  from (select distinct on (u.id) u.id, u.subject from unnest(ids, subjects) u (id, subject) order by u.id) w
  order by w.id
  on conflict (tenant_id, id) do update set
    revision = ledger.revision + 1, attempts = 0, not_before = null, parked_at = null, failure = null,
    owed_since = case when ledger.revision = ledger.shown then excluded.owed_since else ledger.owed_since end
$$;

create table twofold.audit_log (
  tenant_id int not null references twofold.tenants on delete cascade,
  id bigint generated always as identity,
  at timestamptz not null,
  actor text not null,
  on_behalf_of text,
  request_id text,
  action text not null,
  target uuid,
  namespace text collate "C",
  version int,
  outcome text not null default 'ok',
  primary key (tenant_id, id)
);
create index audit_log_by_target on twofold.audit_log (tenant_id, target, id);

create function twofold.audit(act text, targets uuid[], namespaces text[], versions int[], at timestamptz) returns void language sql as $$
  insert into twofold.audit_log (tenant_id, at, actor, on_behalf_of, request_id, action, target, namespace, version)
  select twofold.current_tenant(), at, twofold.current_actor(), nullif(current_setting('twofold.behalf', true), ''),
    nullif(current_setting('twofold.request', true), ''), act, t.target, t.namespace, t.version
  from unnest(targets, namespaces, versions) t (target, namespace, version)
$$;

-- Requests that were answered: ids and versions, never a body. A batch claims its key once for each part.
create table twofold.idempotency_keys (
  tenant_id int not null references twofold.tenants on delete cascade,
  key_id text not null,
  key text not null,
  part int not null,
  operation text not null,
  request_hash bytea,
  targets jsonb not null,
  created_at timestamptz not null,
  primary key (tenant_id, key_id, key, part)
);
create index idempotency_keys_by_age on twofold.idempotency_keys (created_at);

-- Claims an idempotency key for this transaction. A twin that is still running is waited for (lock_timeout, then
-- `in_progress`); one that committed raises `replay` with its targets, or `idempotency_mismatch` when it was another request.
create function twofold.claim(wanted_key text, wanted_part int, wanted_operation text, hash bytea, wanted_targets jsonb, at timestamptz)
returns void language plpgsql as $$
declare
  former twofold.idempotency_keys;
begin
  insert into twofold.idempotency_keys as k (tenant_id, key_id, key, part, operation, request_hash, targets, created_at)
  values (twofold.current_tenant(), twofold.current_actor(), wanted_key, wanted_part, wanted_operation, hash, wanted_targets, at)
  on conflict (tenant_id, key_id, key, part) do update
    set operation = excluded.operation, request_hash = excluded.request_hash, targets = excluded.targets, created_at = excluded.created_at
    where k.created_at < at - interval '24 hours';
  if found then
    return;
  end if;
  select * into former from twofold.idempotency_keys k
  where k.tenant_id = twofold.current_tenant() and k.key_id = twofold.current_actor() and k.key = wanted_key and k.part = wanted_part;
  if former.request_hash is null then
    perform twofold.refuse('gone', 'What this idempotency key once wrote has since been deleted for good.');
  elsif former.operation <> wanted_operation or former.request_hash <> hash then
    perform twofold.refuse('idempotency_mismatch', 'This idempotency key was used for another request.');
  elsif exists (
    select from jsonb_to_recordset(former.targets) t (id uuid)
    join twofold.memories m on m.tenant_id = twofold.current_tenant() and m.id = t.id where m.pending_until is not null
  ) then
    perform twofold.refuse('in_progress', 'The first request with this idempotency key is still running.', '{"retryAfterMs": 500}');
  end if;
  perform twofold.refuse('replay', 'replay', jsonb_build_object('targets', former.targets));
end $$;

do $$ declare t text; begin
  foreach t in array array['ledger', 'audit_log', 'idempotency_keys'] loop
    execute format('alter table twofold.%I enable row level security', t);
    execute format('create policy tenant on twofold.%I to twofold_app using (tenant_id = twofold.current_tenant()) with check (tenant_id = twofold.current_tenant())', t);
  end loop;
end $$;
grant select, insert, update on twofold.ledger to twofold_app;
grant select, insert on twofold.audit_log to twofold_app;
grant select, insert, update, delete on twofold.idempotency_keys to twofold_app;
