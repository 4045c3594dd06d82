import { entityVisible } from '../entities/visible.sql.ts'
import { live, unexpired } from '../memories/live.sql.ts'
import { inside, within } from '../namespaces/inside.sql.ts'
import type { Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import type { Found } from './port.ts'

export interface StartRow {
  id: string
  subject: string
}

/** The memory to start from, when the caller may see it. */
export const startMemory = (id: string, ranges: readonly Range[] | null, now: string): Statement<StartRow> => sql<StartRow>`
  select m.id, m.subject from readable_memories m
  where m.tenant_id = current_tenant() and m.id = ${id}::uuid and ${inside(sql`m.namespace`, ranges)} and ${live(now)}`

export interface EntityStart {
  type: string | null
  normalized: string | null
  /** Where its subject may lie: names are looked for there, so that a narrow key does not read the whole tenant. */
  subjects: readonly Range[]
  ranges: readonly Range[] | null
  most: number
}

/**
 * The entities of that type and name which the caller may see, in one subject or in many. The name of one that was merged
 * leads to the one that is kept; by `case`, because `coalesce` is not held to be leakproof and so reaches no index.
 */
export const startEntities = ({ type, normalized, subjects, ranges, most }: EntityStart, now: string): Statement<StartRow> => sql<StartRow>`
  select distinct e.id, e.subject
  from entities n
  cross join lateral (select e.* from entities e where e.tenant_id = current_tenant() and e.id = case when n.kept_id is null then n.id else n.kept_id end offset 0) e
  where n.tenant_id = current_tenant()
    ${type === null ? sql`` : sql`and n.type = ${type}`}
    and ${normalized === null ? sql`n.kept_id is null` : sql`n.normalized = ${normalized}`}
    and ${within(sql`n.subject`, subjects)}
    and ${entityVisible(ranges, now)}
  order by e.id limit ${most}::int`

export const readGeneration: Statement<{ generations: number[] }> = sql<{
  generations: number[]
}>`select s.generations from graph_state() s`

/** What the graph found, as the rows show it; what the caller may not see, or is there no more, is left out. */
export const renderNodes = (
  ids: readonly string[],
  ranges: readonly Range[] | null,
  now: string,
): Statement<{ node: Record<string, unknown> }> => sql`
  select jsonb_build_object('id', m.id, 'kind', 'memory', 'namespace', m.namespace, 'type', m.type, 'memoryKind', m.kind, 'key', m.key,
    'content', m.content, 'summary', m.summary, 'importance', m.importance, 'tags', to_jsonb(m.tags), 'version', m.version, 'occurredAt', iso(m.occurred_at))
    || case when m.superseded_by is null then '{}' else jsonb_build_object('supersededBy', m.superseded_by) end as node
  from memories m
  where m.tenant_id = current_tenant() and m.id = any(${ids}::uuid[]) and m.pending_until is null and ${inside(sql`m.namespace`, ranges)}
    and ${unexpired(now)} and (m.deleted_at is null or m.superseded_by is not null)
  union all
  select entity_node(e) from entities e
  where e.tenant_id = current_tenant() and e.id = any(${ids}::uuid[]) and ${entityVisible(ranges, now)}
  union all
  select jsonb_build_object('id', s.id, 'kind', 'session', 'sessionId', s.name, 'namespace', s.namespace, 'appName', s.app_name,
    'projectId', s.project_id, 'status', s.status, 'createdAt', iso(s.created_at), 'terminatedAt', iso(s.terminated_at))
  from sessions s where s.tenant_id = current_tenant() and s.id = any(${ids}::uuid[]) and ${inside(sql`s.namespace`, ranges)}`

/** Those of the edges which a memory that the caller may see asserts now, or which were made explicitly where he may look; each once. */
export const renderEdges = (
  edges: Found['edges'],
  ranges: readonly Range[] | null,
  now: string,
): Statement<{ edge: Record<string, unknown> }> => sql`
  select jsonb_build_object('from', e."from", 'to', e."to", 'type', e.type, 'properties',
    coalesce(c.properties, '{}') || jsonb_strip_nulls(jsonb_build_object('type', nullif(e.relation, ''), 'confidence', c.confidence))) as edge
  from jsonb_to_recordset(${JSON.stringify(edges)}::jsonb) as e (type text, "from" uuid, "to" uuid, relation text)
  cross join lateral (
    select max(a.confidence) as confidence, (array_agg(a.properties) filter (where a.properties is not null))[1] as properties from (
    select me.confidence, null::jsonb as properties
    from memory_entities me join readable_memories m on m.tenant_id = me.tenant_id and m.id = me.memory_id
    where e.type in ('MENTIONS', 'ABOUT') and me.tenant_id = current_tenant() and me.memory_id = e."from" and me.entity_id = e."to"
      and (me.about or e.type = 'MENTIONS') and ${inside(sql`me.namespace`, ranges)} and ${live(now)}
    union all
    select r.confidence, null
    from relations r join readable_memories m on m.tenant_id = r.tenant_id and m.id = r.memory_id
    where e.type = 'RELATES_TO' and r.tenant_id = current_tenant() and r.from_id = e."from" and r.to_id = e."to" and r.type = e.relation
      and ${inside(sql`r.namespace`, ranges)} and ${live(now)}
    union all
    select k.confidence, k.properties from links k
    where e.type = 'RELATES_TO' and k.tenant_id = current_tenant() and k.from_id = e."from" and k.to_id = e."to" and k.type = e.relation
      and ${inside(sql`k.subject`, ranges)}
    union all
    select 1, null from sessions s join readable_memories m on m.tenant_id = s.tenant_id and m.session_id = s.name and m.subject = s.subject
    where e.type = 'PRODUCED' and s.tenant_id = current_tenant() and s.id = e."from" and m.id = e."to"
      and ${inside(sql`m.namespace`, ranges)} and ${live(now)}
    union all
    select 1, null from memories old join readable_memories m on m.tenant_id = old.tenant_id and m.id = old.superseded_by
    where e.type = 'SUPERSEDES' and old.tenant_id = current_tenant() and old.id = e."to" and m.id = e."from" and ${inside(sql`m.namespace`, ranges)}) a) c
  where c.confidence is not null
  order by e.type collate "C", e."from", e."to", e.relation collate "C"`
