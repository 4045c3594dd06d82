import { type Statement, sql } from '../sql.ts'

/**
 * Notes that these entities lost a mention: the collector looks at them later. `links` selects their ids as `entity_id`.
 * A known candidate is written again, in the order of the ids, so that the collector, which takes candidates under a
 * lock, can tell that somebody is at it and leaves the candidate for the next sweep.
 */
export const markCollectable = (links: Statement, now: string): Statement => sql`
  insert into collectable (tenant_id, entity_id, since)
  select current_tenant(), l.entity_id, ${now}::timestamptz from (select distinct entity_id from (${links}) x) l order by l.entity_id
  on conflict (tenant_id, entity_id) do update set since = excluded.since`

/**
 * Takes up to `most` candidates whose entity nobody is linking, and keeps them from being linked until the end of the
 * transaction. Candidates whose entity is gone already are dropped. The locked ids are handed on in a setting that
 * dies with the transaction, because the next statement needs a snapshot taken after the locks.
 */
export const takeCandidates = (most: number): Statement<{ taken: number }> => sql<{ taken: number }>`
  with candidates as materialized (
    select c.entity_id from collectable c where c.tenant_id = current_tenant() order by c.since, c.entity_id limit ${most}::int for update skip locked),
  locked as materialized (
    select e.id from entities e where e.tenant_id = current_tenant() and e.id = any(array(select entity_id from candidates))
    order by e.id for update skip locked),
  taken as (
    delete from collectable c using candidates k
    where c.tenant_id = current_tenant() and c.entity_id = k.entity_id
      and (k.entity_id = any(array(select id from locked))
        or not exists (select from entities e where e.tenant_id = current_tenant() and e.id = k.entity_id offset 0))
    returning 1)
  select (select count(*)::int from taken) as taken,
    set_config('twofold.collecting', (select coalesce(array_agg(id), '{}')::text from locked), true)`

/** Removes those of the locked entities that nothing refers to and nobody made for their own sake, with what was merged into them, and owes their removal to the graph. */
export const removeUnreferenced = (now: string): Statement<{ removed: number }> => sql<{ removed: number }>`
  with removed as (
    delete from entities e
    where e.tenant_id = current_tenant() and e.id = any(current_setting('twofold.collecting')::uuid[]) and not e.explicit and e.kept_id is null
      and not exists (select from entities a where a.tenant_id = e.tenant_id and a.kept_id = e.id and a.explicit)
      and not exists (select from memory_entities me where me.tenant_id = e.tenant_id and me.entity_id = e.id)
      and not exists (select from relations r where r.tenant_id = e.tenant_id and r.from_id = e.id)
      and not exists (select from relations r where r.tenant_id = e.tenant_id and r.to_id = e.id)
    returning e.id, e.subject)
  select count(*)::int as removed, owe('entity', array_agg(id), array_agg(subject), ${now}::timestamptz) from removed having count(*) > 0`
