-- Two entities that are one. The row of the other stays, as a name that leads to the one that is kept.

alter table twofold.entities
  -- The entity that a caller merged it into, and the one that the way over these ends at: what both names mean.
  add column merged_into uuid,
  add column kept_id uuid,
  add constraint entities_merged_into foreign key (tenant_id, merged_into) references twofold.entities on delete cascade,
  add constraint entities_kept foreign key (tenant_id, kept_id) references twofold.entities on delete cascade;
create index entities_by_merger on twofold.entities (tenant_id, merged_into) where merged_into is not null;
create index entities_by_kept on twofold.entities (tenant_id, kept_id) where kept_id is not null;

-- What names a merged entity means the one that is kept, and remembers by which name: undone, it means what it said.
alter table twofold.memory_entities
  add column alias_id uuid,
  drop constraint memory_entities_pkey,
  add constraint memory_entities_by_memory unique nulls not distinct (tenant_id, memory_id, entity_id, alias_id);
create index memory_entities_by_alias on twofold.memory_entities (tenant_id, alias_id) where alias_id is not null;

alter table twofold.relations
  add column from_alias uuid,
  add column to_alias uuid,
  drop constraint relations_pkey,
  add constraint relations_by_memory unique nulls not distinct (tenant_id, memory_id, from_id, type, to_id, from_alias, to_alias);
create index relations_by_from_alias on twofold.relations (tenant_id, from_alias) where from_alias is not null;
create index relations_by_to_alias on twofold.relations (tenant_id, to_alias) where to_alias is not null;

alter table twofold.links
  add column from_alias uuid,
  add column to_alias uuid,
  drop constraint links_pkey,
  add constraint links_by_ends unique nulls not distinct (tenant_id, from_id, type, to_id, from_alias, to_alias);
create index links_by_from_alias on twofold.links (tenant_id, from_alias) where from_alias is not null;
create index links_by_to_alias on twofold.links (tenant_id, to_alias) where to_alias is not null;
