import { markCollectable } from '../entities/collect.sql.ts'
import { live } from '../memories/live.sql.ts'
import { type Statement, sql } from '../sql.ts'

export interface At {
  namespace: string
  subject: string
  now: string
}

export interface KnownRow {
  id: string
  type: string
  value: string
  /** Its own and those of what was merged into it. */
  names: { type: string; normalized: string }[]
  explicit: boolean
  observations: string[]
  /** It has more than are shown. */
  more: boolean
}

/** Observations shown of one entity. */
const MOST_OBSERVATIONS = 1000

/** Mentions `me` of an entity by live memories `m` of the namespace; looked up one by one, or all of the tenant's would be hashed. */
const mentions = (entity: Statement, { namespace, now }: At): Statement => sql`
  memory_entities me cross join lateral (
    select m.id, m.version, m.content from readable_memories m
    where m.tenant_id = current_tenant() and m.id = me.memory_id and ${live(now)} offset 0) m
  where me.tenant_id = current_tenant() and me.entity_id = ${entity} and me.namespace = ${namespace} and visible(me.namespace)`

/** Entities `a` that were merged into `e`. */
const merged = sql`entities a where a.tenant_id = current_tenant() and a.kept_id = e.id`
/** `offset 0` keeps it a look-up for each entity, here and below. */
const explicit = sql`(e.explicit or exists (select from ${merged} and a.explicit offset 0))`

/** Made for its own sake in the subject, or mentioned in the namespace; what was merged into another is shown as that. */
const known = (at: At): Statement => sql`(e.kept_id is null and (
  (visible(e.subject) and ${explicit}) or exists (select from ${mentions(sql`e.id`, at)} offset 0)))`

/** Entities `e` of the namespace that `where` picks, in the order they came, with what was observed of them. */
export const selectKnown = (at: At, where: Statement, most: number): Statement<KnownRow> => sql<KnownRow>`
  select e.id, e.type, e.value, ${explicit} as explicit, coalesce(o.contents, '[]') as observations, coalesce(o.more, false) as more,
    (select jsonb_agg(jsonb_build_object('type', n.type, 'normalized', n.normalized))
      from (select e.type, e.normalized union all select a.type, a.normalized from ${merged}) n) as names
  from entities e
  left join lateral (
    select jsonb_agg(o.content order by o.id) filter (where o.place <= ${MOST_OBSERVATIONS}::int) as contents, count(*) > ${MOST_OBSERVATIONS}::int as more
    from (select m.id, m.content, row_number() over (order by m.id) as place
      from (select distinct m.id, m.content from ${mentions(sql`e.id`, at)} order by m.id limit ${MOST_OBSERVATIONS + 1}::int) m) o) o on true
  where e.tenant_id = current_tenant() and e.subject = ${at.subject} and ${known(at)} and ${where}
  order by e.id limit ${most}::int`

/** The subject's entities of these names, or of which one that was merged into them has such a name. */
export const namedIn = (names: readonly string[], { subject }: At): Statement => sql`e.id = any(array(
  select coalesce(a.kept_id, a.id) from entities a
  where a.tenant_id = current_tenant() and a.normalized = any(${names}::text[]) and a.subject = ${subject}))`

/**
 * The text stands in a name, in the type or in an observation, whatever the case. What the subject and the namespace have is
 * read once, and not for each entity.
 */
export const containing = (text: string, { namespace, subject, now }: At): Statement => {
  const has = (what: Statement) => sql`strpos(lower(${what}), lower(${text})) > 0`
  return sql`(
    e.id = any(array(
      select coalesce(a.kept_id, a.id) from entities a
      where a.tenant_id = current_tenant() and a.subject = ${subject}
        and (${has(sql`a.value`)} or ${has(sql`a.type`)} or ${has(sql`replace(a.type, '_', ' ')`)})))
    or e.id = any(array(
      select me.entity_id from (
        select m.id from readable_memories m
        where m.tenant_id = current_tenant() and m.namespace = ${namespace} and visible(m.namespace) and ${live(now)} and ${has(sql`m.content`)} offset 0) m
      cross join lateral (
        select me.entity_id from memory_entities me where me.tenant_id = current_tenant() and me.memory_id = m.id offset 0) me)))`
}

interface RelationRow {
  from: string
  to: string
  relationType: string
}

const value = (id: Statement): Statement =>
  sql`(select e.value from entities e where e.tenant_id = current_tenant() and e.id = ${id} offset 0)`

/** Links, and what memories of the namespace say, of which one end is among `ids`; once each. */
export const selectRelations = ({ namespace, now }: At, ids: readonly string[], most: number): Statement<RelationRow> => {
  const linked = (end: Statement) => sql`
    select k.from_id, k.type, k.to_id from links k where k.tenant_id = current_tenant() and ${end} = any(${ids}::uuid[]) and visible(k.subject)`
  const said = (end: Statement) => sql`
    select r.from_id, r.type, r.to_id from relations r cross join lateral (
      select from readable_memories m where m.tenant_id = current_tenant() and m.id = r.memory_id and ${live(now)} offset 0) m
    where r.tenant_id = current_tenant() and ${end} = any(${ids}::uuid[]) and r.namespace = ${namespace} and visible(r.namespace)`
  return sql<RelationRow>`
    select ${value(sql`x.from_id`)} as "from", ${value(sql`x.to_id`)} as "to", x.type as "relationType"
    from (${linked(sql`k.from_id`)} union ${linked(sql`k.to_id`)} union ${said(sql`r.from_id`)} union ${said(sql`r.to_id`)}) x
    order by x.from_id, x.to_id, x.type limit ${most}::int`
}

export interface MentionRow {
  id: string
  version: number
  /** It mentions other entities beside. */
  shared: boolean
}

/** Live memories of the namespace that mention one of these entities, of these contents if any are named. */
export const selectMentioning = (
  at: At,
  entities: readonly string[],
  contents: readonly string[] | null,
  most: number,
): Statement<MentionRow> =>
  sql<MentionRow>`
    select distinct m.id, m.version, exists (
      select from memory_entities x
      where x.tenant_id = current_tenant() and x.memory_id = m.id and not x.entity_id = any(${entities}::uuid[])) as shared
    from unnest(${entities}::uuid[]) w (id) cross join lateral (
      select m.id, m.version from ${mentions(sql`w.id`, at)} ${contents === null ? sql`` : sql`and m.content = any(${contents}::text[])`}) m
    order by m.id limit ${most}::int`

export interface Edge {
  from_id: string
  type: string
  to_id: string
}

const wanted = (edges: readonly Edge[]): Statement =>
  sql`jsonb_to_recordset(${JSON.stringify(edges)}::jsonb) as w (from_id uuid, type text, to_id uuid)`

/** Live memories of the namespace that say one of these. */
export const selectSaying = ({ namespace, now }: At, edges: readonly Edge[], most: number): Statement<{ id: string }> => sql<{
  id: string
}>`
  select distinct m.id from ${wanted(edges)} cross join lateral (
    select m.id from relations r join readable_memories m on m.tenant_id = r.tenant_id and m.id = r.memory_id
    where r.tenant_id = current_tenant() and r.from_id = w.from_id and r.type = w.type and r.to_id = w.to_id
      and r.namespace = ${namespace} and visible(r.namespace) and ${live(now)} offset 0) m
  order by m.id limit ${most}::int`

/** Removes links; who asserted them is owed to the graph. */
const removed = (gone: Statement, now: string): Statement<{ id: string; subject: string }> => sql<{ id: string; subject: string }>`
  with gone as (${gone} returning k.from_id as id, k.subject),
  whose as (select distinct id, subject from gone),
  told as (
    select owe('entity', array_agg(id), array_agg(subject), ${now}::timestamptz), audit('links.delete', array_agg(id), array_agg(subject), null, ${now}::timestamptz)
    from whose having count(*) > 0)
  select whose.id, whose.subject from whose left join told on true`

export const removeLinks = (edges: readonly Edge[], now: string): Statement<{ id: string; subject: string }> =>
  removed(
    sql`delete from links k
      where k.tenant_id = current_tenant() and k.from_id = any(${edges.map((edge) => edge.from_id)}::uuid[])
        and exists (select from ${wanted(edges)} where k.from_id = w.from_id and k.type = w.type and k.to_id = w.to_id)`,
    now,
  )

export const removeLinksOf = (entities: readonly string[], now: string): Statement<{ id: string; subject: string }> =>
  removed(
    sql`delete from links k where k.tenant_id = current_tenant() and (k.from_id = any(${entities}::uuid[]) or k.to_id = any(${entities}::uuid[]))`,
    now,
  )

/** They stay as long as a memory mentions them, and no longer: the collector looks at them. */
export function releaseEntities(entities: readonly string[], now: string): Statement[] {
  const meant = sql`e.tenant_id = current_tenant() and (e.id = any(${entities}::uuid[]) or e.kept_id = any(${entities}::uuid[]))`
  return [
    sql`select audit('entities.delete', array_agg(e.id), array_agg(e.subject), null, ${now}::timestamptz) from entities e where ${meant} having count(*) > 0`,
    sql`update entities e set explicit = false where ${meant} and e.explicit`,
    markCollectable(sql`select e.id as entity_id from entities e where ${meant}`, now),
  ]
}
