import { check } from '@twofold/core/consistency/check.ts'
import { scopeOf } from '@twofold/core/consistency/scope.ts'
import type { Shown } from '@twofold/core/graph/port.ts'
import type { ProjectDeps } from '@twofold/core/graph/project.ts'
import { readGeneration } from '@twofold/core/graph/query.sql.ts'
import { sql } from '@twofold/core/sql.ts'
import type { Sweep } from './commands.ts'
import { edge, type Model, nameOf, subjectOf } from './model.ts'
import { vectorOf } from './requests.ts'

type Facts = Record<string, unknown>

/** What nobody should owe any more, counted by the sweep that sees to it. */
export const owing = (now: string) => sql<Record<Sweep, number>>`select
  (select count(*)::int from memories where pending_until is not null) as pending,
  (select count(*)::int from memories where deleted_at is null and expires_at <= ${now}::timestamptz) as expire,
  (select count(*)::int from memories where deleted_at is null and (owes_entities or owes_embedding)) as backfill,
  (select count(*)::int from collectable) as collect,
  (select count(*)::int from sync_runs where ended_at is null) as runs,
  (select count(*)::int from graph_generations) as retired,
  (select count(*)::int from ledger where revision <> shown) as relay,
  (select count(*)::int from ledger where parked_at is not null) as poison`

/** All that a tenant's tables say, in the words of the model. */
export async function truth({ db }: Pick<ProjectDeps, 'db'>, tenant: string): Promise<Facts> {
  const [memories, mentions, related, entities, links, sessions, [left]] = await db.asTenant(tenant, [
    sql<Facts & { id: string; words: boolean }>`
      select m.id, m.namespace, m.key, m.kind, m.content, m.version, m.deleted_at is not null as deleted, m.session_id as session,
        iso(m.expires_at) as "expiresAt", (select count(*)::int from memory_versions v where v.tenant_id = m.tenant_id and v.memory_id = m.id) as versions,
        (select json_agg(e.embedding::text) from embeddings e where e.tenant_id = m.tenant_id and e.memory_id = m.id) as vectors,
        (select coalesce(array_agg(p.term order by p.term), '{}') from postings p where p.tenant_id = m.tenant_id and p.row = m.row)
          = (select coalesce(array_agg(t order by t), '{}') from memory_versions v cross join unnest(v.terms) t
            where v.tenant_id = m.tenant_id and v.memory_id = m.id and v.version = m.version and m.deleted_at is null) as words,
        m.entities, m.relations
      from memories m where m.tenant_id = current_tenant()`,
    sql<{ memory: string; type: string; value: string; about: boolean }>`
      select me.memory_id as memory, e.type, e.normalized as value, me.about from memory_entities me
      join entities e on e.tenant_id = me.tenant_id and e.id = me.entity_id where me.tenant_id = current_tenant()`,
    sql<{ memory: string; from: Named; type: string; to: Named }>`
      select r.memory_id as memory, json_build_object('type', f.type, 'value', f.normalized) as "from", r.type, json_build_object('type', t.type, 'value', t.normalized) as "to"
      from relations r join entities f on f.tenant_id = r.tenant_id and f.id = r.from_id join entities t on t.tenant_id = r.tenant_id and t.id = r.to_id
      where r.tenant_id = current_tenant()`,
    sql<{ subject: string; type: string; value: string; explicit: boolean }>`
      select subject, type, normalized as value, explicit from entities where tenant_id = current_tenant()`,
    sql<{ subject: string; from: Named; to: Named; confidence: number }>`
      select k.subject, json_build_object('type', f.type, 'value', f.normalized) as "from", json_build_object('type', t.type, 'value', t.normalized) as "to", k.confidence
      from links k join entities f on f.tenant_id = k.tenant_id and f.id = k.from_id join entities t on t.tenant_id = k.tenant_id and t.id = k.to_id
      where k.tenant_id = current_tenant()`,
    sql<{ name: string; subject: string; status: string }>`select name, subject, status from sessions where tenant_id = current_tenant()`,
    sql<Record<string, number>>`select
      (select count(*)::int from memory_versions v where not exists (select from memories m where m.tenant_id = v.tenant_id and m.id = v.memory_id)) as versions,
      (select count(*)::int from past_embeddings e where not exists (select from memories m where m.tenant_id = e.tenant_id and m.id = e.memory_id)) as vectors,
      (select count(*)::int from postings p where not exists (select from memories m where m.tenant_id = p.tenant_id and m.row = p.row)) as words,
      (select count(*)::int from drift where not parked or repaired_at is null) as drift`,
  ])
  const of = <T extends { memory: string }>(list: readonly T[], id: string, text: (one: T) => string) =>
    list.flatMap((one) => (one.memory === id ? [text(one)] : [])).sort()
  return {
    memories: byId(
      memories.map(({ entities, relations, vectors, ...m }) => ({
        ...m,
        vectors: m.deleted ? [] : ((vectors as string[] | null)?.map((text) => JSON.parse(text)) ?? []),
        // As they are answered, and as they are linked.
        says: said(entities as Named[], relations as Edge[]),
        mentions: of(mentions, m.id, mention),
        relations: of(related, m.id, edge),
      })),
    ),
    entities: entities.map((e) => `${e.subject} ${nameOf(e)}${e.explicit ? '!' : ''}`).sort(),
    links: links.map((k) => `${k.subject} ${nameOf(k.from)} ${nameOf(k.to)} ${k.confidence}`).sort(),
    sessions: sessions.map((s) => `${s.name} ${s.subject} ${s.status}`).sort(),
    left,
  }
}

type Named = { type: string; value: string; about?: boolean }
type Edge = { from: Named; type: string; to: Named; confidence: number }

const byId = <T extends { id: string }>(list: readonly T[]): Record<string, T> =>
  Object.fromEntries(list.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map((one) => [one.id, one]))
const mention = (e: Named) => `${nameOf(e)}${e.about ? '!' : ''}`
const said = (entities: readonly Named[], relations: readonly Edge[]) => [entities.map(mention).sort(), relations.map(edge).sort()]

/** The same as the model has it. */
export function expectedTruth(model: Model): Facts {
  const memories = [...model.memories.values()]
  const mentioned = memories.filter((m) => !m.deleted).flatMap((m) => m.entities.map((e) => `${subjectOf(m.namespace)} ${nameOf(e)}`))
  return {
    memories: byId(
      memories.map((m) => ({
        ...{ id: m.id, namespace: m.namespace, key: m.key, kind: m.kind, content: m.content, version: m.version, deleted: m.deleted },
        ...{ session: m.session, expiresAt: m.expiresAt, versions: m.version, words: true, says: said(m.entities, m.relations) },
        vectors: m.deleted ? [] : [vectorOf(m.content)],
        mentions: m.deleted ? [] : m.entities.map(mention).sort(),
        relations: m.deleted ? [] : m.relations.map(edge).sort(),
      })),
    ),
    entities: [...new Set([...mentioned, ...model.explicit])].map((name) => `${name}${model.explicit.has(name) ? '!' : ''}`).sort(),
    links: [...model.links].map(([name, confidence]) => `${name} ${confidence}`).sort(),
    sessions: [...model.sessions].map(([name, s]) => `${name} ${s.subject} ${s.ended ? 'terminated' : 'created'}`).sort(),
    left: { versions: 0, vectors: 0, words: 0, drift: 0 },
  }
}

const ALL = Array.from({ length: 1024 }, (_, i) => i)

/** What the graph holds, read through its port, in the words of the model. */
export async function shown({ db, graph }: Pick<ProjectDeps, 'db' | 'graph'>, tenant: string): Promise<Facts> {
  const [[state]] = await db.asTenant(tenant, [readGeneration])
  const options = { generations: state?.generations ?? [] }
  const held = await graph.held(tenant, ALL, options)
  const names = new Map(held.map((node) => [node.id, nodeName(node)]))
  const edges = (node: Shown) =>
    node.edges
      .map(
        ({ type, from, relation, to, namespace }) => `${type} ${names.get(from) ?? '?'} ${relation} ${names.get(to) ?? '?'} ${namespace}`,
      )
      .sort()
  return {
    nodes: held
      .map((node) => ({ name: names.get(node.id), version: node.properties.version ?? null, labels: node.labels, edges: edges(node) }))
      .sort((a, b) => ((a.name as string) < (b.name as string) ? -1 : 1)),
    counts: await graph.counts(tenant, options),
  }
}

function nodeName({ kind, id, subject, properties: p }: Shown): string {
  if (kind === 'entity') return `${subject} ${p.type}/${p.normalized}`
  if (kind === 'session') return `${p.name} ${subject} ${p.status}`
  return `${id} ${p.namespace} ${p.kind}`
}

/** The same as the model has it. */
export function expectedShown(model: Model): Facts {
  const sessionName = (name: string) => {
    const session = model.sessions.get(name)
    return session && `${name} ${session.subject} ${session.ended ? 'terminated' : 'created'}`
  }
  const memories = [...model.memories.values()].filter((m) => !m.deleted)
  const nodes = memories.map((m) => {
    const [name, subject] = [`${m.id} ${m.namespace} ${m.kind}`, subjectOf(m.namespace)]
    const session = m.session !== null && model.sessions.get(m.session)?.subject === subject ? sessionName(m.session) : undefined
    const edges = [
      ...m.entities.flatMap((e) =>
        (e.about ? ['MENTIONS', 'ABOUT'] : ['MENTIONS']).map((type) => `${type} ${name}  ${subject} ${nameOf(e)}`),
      ),
      ...m.relations.map((r) => `RELATES_TO ${subject} ${nameOf(r.from)} ${r.type} ${subject} ${nameOf(r.to)}`),
      ...(session ? [`PRODUCED ${session}  ${name}`] : []),
    ]
    const labels = m.kind === 'decision' ? ['Decision'] : []
    return { name, version: m.version, labels, edges: edges.map((text) => `${text} ${m.namespace}`).sort() }
  })
  const linked = [...model.links.keys()].map((link) => link.split(' ') as [string, string, string])
  const names = new Set([...memories.flatMap((m) => m.entities.map((e) => `${subjectOf(m.namespace)} ${nameOf(e)}`)), ...model.explicit])
  const entities = [...names].map((name) => ({
    ...{ name, version: null, labels: [] as string[] },
    edges: linked
      .flatMap(([subject, from, to]) => (`${subject} ${from}` === name ? [`RELATES_TO ${name} near ${subject} ${to} ${subject}`] : []))
      .sort(),
  }))
  const sessions = [...model.sessions.keys()].map((name) => ({
    ...{ name: sessionName(name) as string, version: null, labels: [] as string[], edges: [] as string[] },
  }))
  const all = [...nodes, ...entities, ...sessions]
  return {
    nodes: all.sort((a, b) => (a.name < b.name ? -1 : 1)),
    counts: {
      ...{ memories: nodes.length, entities: entities.length, sessions: sessions.length },
      edges: all.reduce((sum, node) => sum + node.edges.length, 0),
    },
  }
}

/** What a deep check finds; nothing, or the two stores disagree. */
export async function drift(deps: ProjectDeps, tenant: string): Promise<unknown[]> {
  const found: unknown[] = []
  const looking = { scope: scopeOf(['*']), deep: true, from: 0, timeoutMs: 600_000 }
  await deps.graph.session('reuse', async (session) => {
    for await (const { differences } of check(deps, tenant, { ...looking, session }))
      found.push(...differences.map(({ kind, id, what, expected, found }) => ({ kind, id, what, expected, found })))
  })
  return found
}
