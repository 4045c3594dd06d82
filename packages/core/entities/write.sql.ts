import type { EntityNode } from '../graph/node.ts'
import type { Memory } from '../memories/memory.ts'
import type { NamedEntity } from '../memories/write.sql.ts'
import { type Statement, sql } from '../sql.ts'

/**
 * What a name means: the entity of that name, or the one it was merged into, and then by which alias. Looked up row by
 * row, because a join of a few names reads every entity of the tenant.
 */
const entityNamed = (subject: Statement, type: Statement, name: Statement, locking = sql``): Statement => sql`
  (select e.tenant_id, coalesce(e.kept_id, e.id) as id, case when e.kept_id is not null then e.id end as alias from entities e
    where e.tenant_id = current_tenant() and e.subject = ${subject} and e.type = ${type} and e.normalized = ${name} offset 0 ${locking})`

const names = (wanted: readonly NamedEntity[]): Statement => sql`
  jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb) as w (id uuid, subject text, type text, normalized text)
  cross join lateral ${entityNamed(sql`w.subject`, sql`w.type`, sql`w.normalized`)} x
  cross join lateral (select e.* from entities e where e.tenant_id = current_tenant() and e.id = x.id offset 0) n`

/** What the ledger knows of a row. */
export interface Standing {
  shown: boolean
  shown_at: string | null
  parked: boolean
}

export interface EntityRow extends Standing {
  node: EntityNode
}

/** The entities of these names, with what the ledger knows of them, in the order of the names. */
export const selectNamed = (wanted: readonly NamedEntity[]): Statement<EntityRow> => sql<EntityRow>`
  select jsonb_build_object('id', n.id, 'kind', 'entity', 'type', n.type, 'value', n.value, 'normalized', n.normalized,
    'subject', n.subject, 'createdAt', iso(n.created_at)) as node, l.revision = l.shown as shown, iso(l.shown_at) as shown_at, l.parked_at is not null as parked
  from ${names(wanted)}
  join ledger l on l.tenant_id = n.tenant_id and l.id = n.id
  order by array_position(${wanted.map((e) => e.id)}::uuid[], w.id)`

export const auditNamed = (action: string, wanted: readonly NamedEntity[], now: string): Statement => sql`
  select audit(${action}, array_agg(n.id), array_agg(w.subject), null, ${now}::timestamptz) from ${names(wanted)}`

export interface LinkRow {
  id: string
  from_id: string
  type: string
  to_id: string
  properties: Memory['metadata']
}

export interface NamedLink {
  /** Its id, should it be new. */
  id: string
  from: NamedEntity
  type: string
  to: NamedEntity
  properties: Memory['metadata']
}

const ends = (wanted: readonly NamedLink[], locking?: Statement): Statement => sql`
  jsonb_to_recordset(${JSON.stringify(
    wanted.map(({ id, from, type, to, properties }) => ({
      ...{ id, subject: from.subject, type, properties },
      ...{ from_type: from.type, from_name: from.normalized, to_type: to.type, to_name: to.normalized },
    })),
  )}::jsonb) as w (id uuid, subject text, type text, properties jsonb, from_type text, from_name text, to_type text, to_name text)
  cross join lateral ${entityNamed(sql`w.subject`, sql`w.from_type`, sql`w.from_name`, locking)} f
  cross join lateral ${entityNamed(sql`w.subject`, sql`w.to_type`, sql`w.to_name`, locking)} t`

/** The links of these names. */
const links = (wanted: readonly NamedLink[]): Statement => sql`
  ${ends(wanted)}
  cross join lateral (
    select k.* from links k
    where k.tenant_id = current_tenant() and k.from_id = f.id and k.type = w.type and k.to_id = t.id
      and k.from_alias is not distinct from f.alias and k.to_alias is not distinct from t.alias offset 0) k`

/**
 * New links, and new properties over those of links that are known. The entity that asserts a changed one is owed to the
 * graph. One whose end is merged in this very moment makes the list run again.
 */
export const upsertLinks = (wanted: readonly NamedLink[], now: string): Statement => sql`
  with w as materialized (
    select f.tenant_id, w.id, f.id as from_id, f.alias as from_alias, w.type, t.id as to_id, t.alias as to_alias, w.subject, w.properties
    from ${ends(wanted, sql`for key share`)}),
  changed as (
    insert into links as k (tenant_id, id, from_id, from_alias, type, to_id, to_alias, subject, properties, created_at, updated_at)
    select tenant_id, id, from_id, from_alias, type, to_id, to_alias, subject, properties, ${now}::timestamptz, ${now}::timestamptz
    from w order by from_id, type collate "C", to_id, from_alias, to_alias
    on conflict (tenant_id, from_id, type, to_id, from_alias, to_alias) do update set properties = k.properties || excluded.properties, updated_at = excluded.updated_at
      where k.properties || excluded.properties is distinct from k.properties
    returning from_id, subject)
  select owe('entity', array_agg(from_id), array_agg(subject), ${now}::timestamptz) is null from changed having count(*) > 0
  union all
  select run_again('entity') is null from (select count(*) as n from w) c where c.n <> ${wanted.length}`

/** The links of these names, in their order. */
export const selectLinks = (wanted: readonly NamedLink[]): Statement<LinkRow> => sql<LinkRow>`
  select k.id, k.from_id, k.type, k.to_id, k.properties
  from ${links(wanted)}
  order by array_position(${wanted.map((link) => link.id)}::uuid[], w.id)`

export const auditLinks = (action: string, wanted: readonly NamedLink[], now: string): Statement => sql`
  select audit(${action}, array_agg(k.id), array_agg(k.subject), null, ${now}::timestamptz)
  from ${links(wanted)}`
