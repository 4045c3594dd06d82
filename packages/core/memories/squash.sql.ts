import { BEGINNING, type Position, walked } from '../namespaces/walk.sql.ts'
import { type Statement, sql } from '../sql.ts'
import { embeddedOf } from './write.sql.ts'

/** A policy whose turn it is: which past versions it keeps, beside the current one, and how far it was gone through. */
export interface Due {
  /** Whose policy it is. */
  namespace: string
  keep: number | null
  daily: number | null
  /** When it was set. */
  since: string
  after: Position
}

export interface Squashing {
  now: string
  /** When the policy is gone through again, once everything was looked at. */
  next: string
  /** Memories that one step looks at, and versions that it squashes. */
  memories: number
  versions: number
}

/**
 * One step, in one statement, so that all of it is decided by what is there now; nothing is done when the policy was set
 * anew since it was read, or another process has gone on with it: whoever stood still meanwhile would squash what is to be
 * kept by now. A version goes when neither rule keeps it;
 * never the current one, nor the one that undoing a soft deletion brings back, nor what is younger than a day, which a
 * request that is sent again is answered with. The version before a gap notes when the gap begins, and a vector that a
 * version of the same text shares goes over to that one. Rows are looked up one by one, and their ids named where they are
 * written: joins read all versions of the tenant.
 */
export const squashNext = ({ namespace, keep, daily, since, after }: Due, { now, next, memories, versions }: Squashing): Statement => sql`
  with due as materialized (
    select p.namespace from namespace_policies p
    where p.tenant_id = current_tenant() and p.namespace = ${namespace} and iso(p.updated_at) = ${since} and p.squash_at <= ${now}::timestamptz
      and p.squash_after_namespace = ${after.namespace} and p.squash_after_id = ${after.id}::uuid for update),
  looked as materialized (select l.* from due cross join lateral (${walked(namespace, after, memories)}) l),
  mine as materialized (
    select l.* from looked l cross join lateral policy_of(current_tenant(), l.namespace) p where l.version > 1 and p.namespace = ${namespace}),
  numbered as (
    select l.namespace, v.memory_id, v.version, v.at, v.version < l.version - l.deleted::int as past,
      row_number() over (partition by v.memory_id order by v.version desc) as nth,
      v.version = max(v.version) over (partition by v.memory_id, (v.at at time zone 'UTC')::date) as last_of_day
    from mine l
    cross join lateral (
      select v.memory_id, v.version, v.at from memory_versions v where v.tenant_id = current_tenant() and v.memory_id = l.id offset 0) v),
  counted as (
    select n.*, n.past and n.at < ${now}::timestamptz - interval '1 day' and (${keep}::int is null or n.nth > ${keep}::int)
      and (${daily}::int is null or (not n.last_of_day and n.at < ${now}::timestamptz - ${daily}::int * interval '1 day')) as unkept
    from numbered n),
  judged as (
    select c.*, c.unkept and count(*) filter (where c.unkept) over (order by c.namespace, c.memory_id, c.version) <= ${versions}::int as goes
    from counted c),
  placed as materialized (
    select j.*, lag(j.version) over w as before, lag(j.goes) over w as gap,
      min(j.version) filter (where not j.goes) over (partition by j.memory_id order by j.version desc rows between unbounded preceding and 1 preceding) as heir
    from judged j window w as (partition by j.memory_id order by j.version)),
  touched as materialized (select array_agg(distinct p.memory_id) as ids from placed p where p.goes),
  ended as (
    update memory_versions v set ended_at = coalesce(v.ended_at, p.at) from placed p
    where p.goes and p.before is not null and not p.gap
      and v.tenant_id = current_tenant() and v.memory_id = any((select ids from touched)::uuid[]) and v.memory_id = p.memory_id and v.version = p.before),
  vectors as materialized (
    select p.memory_id, p.version, p.heir, e.model, ${embeddedOf('o.memory')} = ${embeddedOf('h.memory')} and not e.replaced as lasts
    from placed p
    cross join lateral (
      select c.model, false as replaced from embeddings c where c.tenant_id = current_tenant() and c.memory_id = p.memory_id and c.version = p.version
      union all
      select c.model, exists (
          select from past_embeddings l
          where l.tenant_id = current_tenant() and l.memory_id = p.memory_id and l.model = c.model and l.version > p.version and l.version <= p.heir)
      from past_embeddings c where c.tenant_id = current_tenant() and c.memory_id = p.memory_id and c.version = p.version offset 0) e
    cross join lateral (
      select v.memory from memory_versions v where v.tenant_id = current_tenant() and v.memory_id = p.memory_id and v.version = p.version limit 1) o
    cross join lateral (
      select v.memory from memory_versions v where v.tenant_id = current_tenant() and v.memory_id = p.memory_id and v.version = p.heir limit 1) h
    where p.goes),
  current_vectors as (
    update embeddings e set version = x.heir from vectors x
    where e.tenant_id = current_tenant() and e.memory_id = any((select ids from touched)::uuid[]) and e.memory_id = x.memory_id and e.model = x.model and e.version = x.version),
  past_vectors as (
    update past_embeddings e set version = x.heir from vectors x
    where x.lasts and e.tenant_id = current_tenant() and e.memory_id = any((select ids from touched)::uuid[])
      and e.memory_id = x.memory_id and e.model = x.model and e.version = x.version),
  needless_vectors as (
    delete from past_embeddings e using vectors x
    where not x.lasts and e.tenant_id = current_tenant() and e.memory_id = any((select ids from touched)::uuid[])
      and e.memory_id = x.memory_id and e.model = x.model and e.version = x.version),
  gone as (
    delete from memory_versions v using placed p
    where p.goes and v.tenant_id = current_tenant() and v.memory_id = any((select ids from touched)::uuid[]) and v.memory_id = p.memory_id and v.version = p.version
    returning v.memory_id, v.namespace, v.version),
  noted as materialized (
    select audit('memories.squash', array_agg(g.memory_id), array_agg(g.namespace), array_agg(g.version), ${now}::timestamptz)
    from (select memory_id, namespace, max(version) as version from gone group by memory_id, namespace) g having count(*) > 0),
  -- A memory of which there is more to squash is looked at once more, so the step ends before it.
  unfinished as (select namespace, memory_id as id from judged where unkept and not goes order by namespace, memory_id limit 1),
  last as (
    select l.namespace, l.id from looked l
    where not exists (select from unfinished u where (l.namespace, l.id) >= (u.namespace, u.id)) order by l.namespace desc, l.id desc limit 1),
  moved as (
    update namespace_policies p set
      squash_after_namespace = case when w.more then coalesce(l.namespace, ${after.namespace}) else ${BEGINNING.namespace} end,
      squash_after_id = case when w.more then coalesce(l.id, ${after.id}::uuid) else ${BEGINNING.id}::uuid end,
      squash_at = case when w.more then ${now}::timestamptz else ${next}::timestamptz end
    from due cross join (select (select count(*) from looked) = ${memories}::int or exists (select from unfinished) as more) w left join last l on true
    where p.tenant_id = current_tenant() and p.namespace = due.namespace)
  select count(*) from noted`
