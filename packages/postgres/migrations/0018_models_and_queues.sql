-- Requests that come without the headers of HTTP: of models, which repeat themselves without saying so, and of other
-- services' messages, which have no key.

-- As before; and with `retry` a caller who did not name the key: for so long the first answer holds, and only while what it
-- wrote is there. Who stores the same again after it was deleted means it.
drop function twofold.claim(text, int, text, bytea, jsonb, timestamptz);
create function twofold.claim(
  wanted_key text, wanted_part int, wanted_operation text, hash bytea, wanted_targets jsonb, at timestamptz, retry interval default null
) returns void language plpgsql as $$
declare
  former twofold.idempotency_keys;
begin
  insert into twofold.idempotency_keys as k (tenant_id, key_id, key, part, operation, request_hash, targets, created_at)
  values (twofold.current_tenant(), twofold.current_actor(), wanted_key, wanted_part, wanted_operation, hash, wanted_targets, at)
  on conflict (tenant_id, key_id, key, part) do update
    set operation = excluded.operation, request_hash = excluded.request_hash, targets = excluded.targets, created_at = excluded.created_at
    where k.created_at < at - coalesce(retry, interval '24 hours')
      or (retry is not null and (k.request_hash is null or exists (
        select from jsonb_to_recordset(k.targets) t (id uuid)
        join twofold.memories m on m.tenant_id = twofold.current_tenant() and m.id = t.id where m.deleted_at is not null)));
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

-- A message that another service put into a queue. Who may do that is decided where the queue is; here it acts for the
-- tenant that it names, by id or by name, with the one scope that its operation needs, and is audited by its source.
create function twofold.act_for_source(named text, source text, scope text, request_id text) returns jsonb
language plpgsql security definer set search_path = twofold, pg_temp as $$
declare
  holder record;
begin
  select t.* into holder from tenants t
  where case when named ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then t.uuid::text = named else t.name = named end;
  if not found then
    perform refuse('not_found', 'There is no such tenant.');
  end if;
  if holder.suspended_at is not null then
    perform refuse('forbidden', 'The tenant is suspended.');
  end if;
  perform set_config('twofold.tenant', holder.id::text, true), set_config('twofold.actor', 'queue:' || source, true),
    set_config('twofold.lows', '{""}', true), set_config('twofold.highs', array[U&'\+10FFFF']::text, true),
    set_config('twofold.request', coalesce(request_id, ''), true), set_config('twofold.behalf', '', true);
  return jsonb_build_object('tenant', holder.uuid, 'keyId', '00000000-0000-0000-0000-000000000000', 'scopes', array[scope], 'grants', array['*']);
end $$;
