-- A run goes on after its request has ended, and writes what it adopts as the key that asked for it; null for one that is gone.
create function twofold.key_hash(key uuid) returns bytea
language sql stable security definer set search_path = twofold, pg_temp as
$$ select k.hash from api_keys k where k.tenant_id = current_tenant() and k.id = key $$;
