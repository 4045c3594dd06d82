-- The graph of the embedded adapter: a projection in tables. Nothing here that cannot be rebuilt from the truth, so no
-- foreign keys to it; and what the ledger needs to know to write and clean any graph.

create schema graph;
grant usage on schema graph to twofold_app;

create table graph.nodes (
  tenant_id int not null,
  generation int not null,
  id uuid not null,
  kind text not null,
  subject text collate "C" not null,
  revision int not null,
  bucket smallint not null,
  digest_high int,
  digest_low int,
  labels text[] not null,
  properties jsonb not null,
  -- A tombstone since then: no content, only the revision that nothing older may overwrite.
  gone_at timestamptz,
  -- The id before the generation: a tenant has one generation or two, and a planner without statistics must not take
  -- that for a choice.
  primary key (tenant_id, id, generation)
);
create index nodes_gone on graph.nodes (tenant_id, generation, gone_at) where gone_at is not null;

create table graph.edges (
  tenant_id int not null,
  generation int not null,
  -- The thing that asserted it; what it asserts is replaced as a whole.
  owner uuid not null,
  type text collate "C" not null,
  from_id uuid not null,
  to_id uuid not null,
  relation text collate "C" not null,
  namespace text collate "C" not null,
  confidence double precision not null,
  primary key (tenant_id, owner, generation, type, from_id, to_id, relation)
);
create index edges_by_from on graph.edges (tenant_id, from_id, generation);
create index edges_by_to on graph.edges (tenant_id, to_id, generation);

do $$ declare t text; begin
  foreach t in array array['nodes', 'edges'] loop
    execute format('alter table graph.%I enable row level security', t);
    execute format('create policy tenant on graph.%I to twofold_app using (tenant_id = twofold.current_tenant()) with check (tenant_id = twofold.current_tenant())', t);
    execute format('grant select, insert, update, delete on graph.%I to twofold_app', t);
  end loop;
end $$;

-- The generations that graph writes go to, the one that is read first, and the epoch under which they were leased.
create function twofold.graph_state() returns table (generations int[], epoch int)
language sql stable security definer set search_path = twofold, pg_temp as $$
  select array[t.graph_generation], t.graph_epoch from tenants t where t.id = current_tenant()
$$;

-- Set while the graph holds a tombstone of this row.
alter table twofold.ledger add column tombstone_at timestamptz;
create index ledger_tombstones on twofold.ledger (tenant_id, tombstone_at) where tombstone_at is not null;
create index ledger_leased on twofold.ledger (tenant_id, lease) where lease is not null;
-- How far the graph lags for one subject, asked by every read of the graph.
create index ledger_owed_by_subject on twofold.ledger (tenant_id, subject, owed_since) where revision <> shown;
-- A name asked for over many subjects.
create index entities_by_spelling on twofold.entities (tenant_id, normalized, type);
drop index twofold.idempotency_keys_by_age;
create index idempotency_keys_by_age on twofold.idempotency_keys (tenant_id, created_at);

create function twofold.entity_node(e twofold.entities) returns jsonb language sql stable parallel safe as $$
  select jsonb_build_object('id', e.id, 'kind', 'entity', 'type', e.type, 'value', e.value, 'normalized', e.normalized,
    'subject', e.subject, 'createdAt', twofold.iso(e.created_at))
$$;
