-- Whether both stores agree: what the check adds up, what it found, and who looked.

-- The edges that the graph is known to show of it, beside its digest: counted when it is settled, because counting
-- mentions, relations and links anew for every check costs several times the rest of it.
alter table twofold.ledger add column degree int;
update twofold.ledger l set degree = case l.kind
  when 'memory' then
    (select count(*) + count(*) filter (where me.about) from twofold.memory_entities me where me.tenant_id = l.tenant_id and me.memory_id = l.id)
    + (select count(*) from twofold.relations r where r.tenant_id = l.tenant_id and r.memory_id = l.id)
    + (select count(*) from twofold.memories m join twofold.sessions s on s.tenant_id = m.tenant_id and s.name = m.session_id and s.subject = m.subject
      where m.tenant_id = l.tenant_id and m.id = l.id)
  when 'entity' then (select count(*) from twofold.links k where k.tenant_id = l.tenant_id and k.from_id = l.id)
  else 0 end
where l.digest_high is not null;
-- Into a bucket that differs. The bucket first: to a planner that has never seen rows of a tenant, an index that begins with the
-- tenant is as good as any other that does, and it read the whole ledger for what is owed longest, and a tenant's whole
-- graph for each node asked for by id (a walk to 10,000 nodes took 90 s).
create index ledger_by_bucket on twofold.ledger (bucket, tenant_id);
create index nodes_by_bucket on graph.nodes (bucket, tenant_id, generation);
-- Edges have two more indexes that begin with the tenant. Without statistics of the tenant the planner expects as many
-- edges of each, so a tenant it has not seen is walked by the right one too (10,000 nodes in 0.2 s, not in 8 s).
alter table graph.edges alter column tenant_id set statistics 0;

-- Each time somebody looked, or repaired.
create table twofold.sync_runs (
  tenant_id int not null references twofold.tenants on delete cascade,
  id uuid not null,
  operation text not null,
  -- Where it looks and how, as it was asked for.
  options jsonb not null,
  -- What it is at, and the next bucket; null when it came to the end.
  phase text,
  cursor int,
  checked int not null default 0,
  found int not null default 0,
  repaired int not null default 0,
  failed int not null default 0,
  started_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, id)
);
create index sync_runs_by_time on twofold.sync_runs (tenant_id, started_at);

-- A difference between what Postgres says and what the graph shows, as long as it is there and afterwards. It names
-- things and fields, never what they hold, so that an erasure need not look here.
create table twofold.drift (
  tenant_id int not null references twofold.tenants on delete cascade,
  id uuid not null,
  run_id uuid not null,
  kind text not null,
  -- The id of the thing that differs; what somebody made by hand may have another sort of id, or none.
  thing text collate "C" not null,
  what text not null,
  subject text collate "C",
  bucket int not null,
  -- Only a deep check can see it.
  deep boolean not null,
  found_at timestamptz not null,
  repaired_at timestamptz,
  primary key (tenant_id, id)
);
create unique index drift_open on twofold.drift (tenant_id, kind, thing, what) where repaired_at is null;

do $$ declare t text; begin
  foreach t in array array['sync_runs', 'drift'] loop
    execute format('alter table twofold.%I enable row level security', t);
    execute format('create policy tenant on twofold.%I to twofold_app using (tenant_id = twofold.current_tenant()) with check (tenant_id = twofold.current_tenant())', t);
    execute format('grant select, insert, update on twofold.%I to twofold_app', t);
  end loop;
end $$;
