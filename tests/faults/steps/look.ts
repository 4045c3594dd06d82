import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import type { Shown } from '@twofold/core/graph/port.ts'
import { readGeneration } from '@twofold/core/graph/query.sql.ts'
import type { Stage, Tenant } from './stage.ts'
import { audited, hashOf, known as knownIn, live, nameOf, shown, visible, type World } from './world.ts'

const HOUR_MS = 3600_000
const DAY_MS = 24 * HOUR_MS

const get = async (tenant: Tenant, path: string) => tenant.ask({ method: 'GET', path })
const post = async (tenant: Tenant, path: string, body: object) => tenant.ask({ method: 'POST', path, body })

/** As a list, a search or a graph shows memories. */
const lines = (memories: readonly any[]): string[] =>
  memories.map(({ id, version, content }) => `${nameOf(id, hashOf(content))} v${version} ${content}`).sort()

/** What took the place of another one is told by the node of that. */
const current = (nodes: readonly any[]) => nodes.filter(({ kind, supersededBy }) => kind === 'memory' && supersededBy === undefined)

async function list(tenant: Tenant): Promise<any[]> {
  const all: any[] = []
  for (let cursor = ''; ; ) {
    const { status, json } = await get(tenant, `/v1/memories?limit=500${cursor}`)
    assert.equal(status, 200)
    all.push(...json.items)
    if (json.nextCursor === null) return all
    cursor = `&cursor=${json.nextCursor}`
  }
}

/**
 * Asks as a user would, in every way there is, and answers which of these worlds it is, none before `from`: a write that
 * nobody acknowledged is there as a whole or not at all, and no way of asking tells otherwise.
 */
export async function look(
  stage: Stage,
  tenant: Tenant,
  worlds: readonly World[],
  { from = 0, steady = [] }: { from?: number; steady?: readonly string[] } = {},
): Promise<number> {
  const listed = lines(await list(tenant))
  const at = worlds.findIndex((world, i) => i >= from && same(visible(world), listed))
  if (at === -1) assert.deepEqual(listed, visible(worlds[from] as World), 'what is listed is no world that may be')
  const world = worlds[at] as World
  for (const known of changing(worlds)) await lookFor(stage, tenant, world, known)
  if (steady.length > 0) {
    const { json } = await post(tenant, '/v1/graph/query', { start: { type: 'person', value: 'Bob' } })
    const found = new Set(json.nodes.map(({ id }: any) => id))
    assert.deepEqual(
      steady.filter((id) => !found.has(id)),
      [],
      'the graph does not show what it showed',
    )
  }
  return at
}

interface Changing {
  id: string
  content: string
  people: readonly string[]
  speaker?: string
}

/** Memories that are not the same in all of these; of a large batch some. */
function changing(worlds: readonly World[]): Changing[] {
  const all = worlds.flatMap(({ memories, erased }) => [...memories, ...erased.map((one) => ({ ...one, people: [] }))])
  const ids = [...new Set(all.map(({ id }) => id))]
  const told = (world: World, id: string) => JSON.stringify(world.memories.find((known) => known.id === id) ?? null)
  const differing = ids.filter((id) => worlds.length === 1 || new Set(worlds.map((world) => told(world, id))).size > 1)
  const some = differing.length > 4 ? [...differing.slice(0, 2), ...differing.slice(-2)] : differing
  return all.filter(({ id }) => some.includes(id))
}

async function lookFor(stage: Stage, tenant: Tenant, world: World, { id, content, people, speaker }: Changing): Promise<void> {
  const seen = visible(world)
  const known = live(world).find((one) => one.id === id)
  const here = known?.content === content
  // Who made it does not know its id; others find it below.
  const got = nameOf(id, '') === id ? await get(tenant, `/v1/memories/${id}`) : null
  if (got) assert.deepEqual(got.status === 200 ? lines([got.json.memory ?? got.json]) : [got.status], known ? lines([known]) : [404])
  const among = (memories: readonly any[], how: string) => {
    for (const line of lines(memories)) assert(seen.includes(line), `${how} found ${line}, which nobody may see`)
    return lines(memories).some((line) => line.startsWith(`${id} `))
  }
  const embedding = await stage.vectorOf(speaker === undefined ? content : `${speaker}: ${content}`)
  const near = await post(tenant, '/v1/memories/search', {
    namespacePrefix: 'user',
    embedding,
    mode: 'vector',
    precision: 'exact',
    limit: 100,
  })
  const close = near.json.results.filter(({ parts }: any) => parts.vector > 0.9999)
  among(
    near.json.results.map(({ memory }: any) => memory),
    'a search by meaning',
  )
  if (!known?.owes)
    assert.equal(
      lines(close.map(({ memory }: any) => memory)).some((line) => line.startsWith(`${id} `)),
      here,
      `a search for the vector of "${content}"`,
    )
  const [word] = content.split(/\s/)
  const worded = await post(tenant, '/v1/memories/search', { namespacePrefix: 'user', query: word, mode: 'text', limit: 100 })
  assert.equal(
    among(
      worded.json.results.map(({ memory }: any) => memory),
      'a search by words',
    ),
    here,
    `a search for "${word}"`,
  )
  for (const value of people.slice(0, 1)) {
    const { status, json } = await post(tenant, '/v1/graph/query', { start: { type: 'person', value }, hops: 2 })
    assert([200, 404].includes(status), `the graph answered ${status}`)
    if (status === 200) among(current(json.nodes), 'the graph')
  }
}

const same = (a: readonly string[], b: readonly string[]): boolean => JSON.stringify(a) === JSON.stringify(b)

/**
 * Both stores show this world and nothing else; a deep check agrees, nothing is owed or pending, every row is there once,
 * and no cache knows of what was deleted for good.
 */
export async function agree(stage: Stage, tenant: Tenant, world: World, { late = false } = {}): Promise<void> {
  const { metrics } = (await get(tenant, '/api/persistence/status')).json
  const count = live(world).length
  const { oldestOwedMs: _, syncPercentage: __, ...counts } = metrics
  assert.deepEqual(counts, {
    ...{ totalMemories: count, vectorStoreCount: count, graphStoreCount: count },
    ...{ owedGraphWrites: 0, owedEmbeddings: 0, owedEntities: 0, deadLetters: 0 },
  })
  const checked = await post(tenant, '/api/persistence/sync', { operation: 'check', deep: true })
  assert.equal(checked.status, 200, JSON.stringify(checked.json))
  const { inconsistencies, owed } = checked.json.result
  assert.deepEqual([checked.json.done, inconsistencies, owed], [true, [], 0])
  assert.deepEqual(await graphOf(stage, tenant), shown(world))
  if ((await elsewhere(stage, tenant)).length > 0) {
    // Of a writer that stood still until they were gone: no longer than a day.
    stage.pass(DAY_MS)
    await stage.sweep(tenant)
  }
  assert.deepEqual(await elsewhere(stage, tenant), [], 'generations that nobody reads hold something')
  assert.deepEqual(await rowsOf(stage, tenant), expectedRows(world))
  // Whoever stood still while he cached a vector does so when he is thawed; it is gone within the hour.
  if (late) stage.pass(HOUR_MS)
  const texts = world.erased.map(({ content }) => content)
  const cached = await stage.deps.cache.embeddings(stage.deps.embedder.model, texts)
  assert.deepEqual(
    texts.filter((_, i) => cached[i] !== null),
    [],
    'vectors of what was deleted for good are still cached',
  )
}

/** Which of these worlds the rows are, none before `from`. */
export async function standing(stage: Stage, tenant: Tenant, worlds: readonly World[], from: number): Promise<number> {
  const rows = await rowsOf(stage, tenant)
  const at = worlds.findIndex((world, i) => i >= from && isDeepStrictEqual(rows, expectedRows(world)))
  if (at === -1) assert.deepEqual(rows, expectedRows(worlds[from] as World))
  return at
}

/** All that the graph holds of the tenant, line by line, with names in place of ids that nobody chose. */
async function graphOf({ deps }: Stage, tenant: Tenant): Promise<string[]> {
  const [[state]] = await deps.db.asTenant(tenant.id, [readGeneration])
  const buckets = Array.from({ length: 1024 }, (_, i) => i)
  const held = await deps.graph.held(tenant.id, buckets, { generations: state?.generations ?? [] })
  const names = new Map(held.map((node) => [node.id, nodeName(node)]))
  const name = (id: string) => names.get(id) ?? `nothing (${id})`
  return held
    .flatMap((node) => [
      lineOf(node),
      ...node.edges.map(({ type, from, to, relation }) => `${name(node.id)}: ${name(from)} ${relation || type} ${name(to)}`),
    ])
    .sort()
}

/** Every other generation that there ever was, if anything is left in it. */
async function elsewhere({ deps }: Stage, tenant: Tenant): Promise<number[]> {
  const [[state]] = await deps.db.asTenant(tenant.id, [readGeneration])
  const [live] = state?.generations ?? []
  const found: number[] = []
  for (let generation = 1; generation <= (live ?? 0) + 1; generation++) {
    if (generation === live) continue
    const { memories, entities, sessions } = await deps.graph.counts(tenant.id, { generations: [generation] })
    if (memories + entities + sessions > 0) found.push(generation)
  }
  return found
}

const nodeName = ({ kind, id, properties: p }: Shown) =>
  kind === 'entity' ? `${p.type}:${p.value}` : kind === 'session' ? `session ${p.name}` : nameOf(id, String(p.contentHash))

function lineOf(node: Shown): string {
  const { kind, properties: p } = node
  if (kind === 'memory') return `memory ${nodeName(node)} v${p.version} ${p.contentHash}`
  return kind === 'session' ? `${nodeName(node)} ${p.status}` : `entity ${nodeName(node)}`
}

/** Of each memory its versions and audit rows; who has a vector, a word, a mention; and what must not be left. */
async function rowsOf({ owner }: Stage, { id }: Tenant): Promise<unknown> {
  const [row] = await owner(
    `with t as (select id from twofold.tenants where uuid = $1),
    named as materialized (
      select m.*, case when m.id::text like '00000000-%' then m.id::text else 'saying ' || encode(sha256(convert_to(m.content, 'UTF8')), 'hex') end collate "C" as name
      from twofold.memories m join t on m.tenant_id = t.id)
    select json_build_object(
      'memories', (select coalesce(json_agg(m.name || ' v' || m.version || ' ' || case when m.deleted_at is null then '' else 'deleted ' end
          || coalesce('for ' || by.name || ' ', '') || m.content order by m.name), '[]')
        from named m left join named by on by.id = m.superseded_by),
      'versions', (select coalesce(json_object_agg(v.name, v.n), '{}')
        from (select m.name, count(*) as n from twofold.memory_versions v join named m on m.tenant_id = v.tenant_id and m.id = v.memory_id group by m.name) v),
      'audited', (select coalesce(json_object_agg(a.name, a.n), '{}')
        from (select coalesce(m.name, a.target::text) as name, count(*) as n from twofold.audit_log a left join named m on m.id = a.target
          where a.tenant_id = t.id and a.action like 'memories.%' and a.version is not null group by 1) a),
      'vectors', (select coalesce(json_agg(m.name order by m.name), '[]')
        from twofold.embeddings e join named m on m.tenant_id = e.tenant_id and m.id = e.memory_id where e.live),
      'entities', (select coalesce(json_agg(e.type || ':' || e.value || coalesce(' is ' || k.type || ':' || k.value, '') order by e.value collate "C"), '[]')
        from twofold.entities e left join twofold.entities k on k.tenant_id = e.tenant_id and k.id = e.kept_id where e.tenant_id = t.id),
      'links', (select coalesce(json_agg(f.value || ' ' || k.type || ' ' || o.value order by f.value, o.value), '[]') from twofold.links k
        join twofold.entities f on f.tenant_id = k.tenant_id and f.id = coalesce(k.from_alias, k.from_id)
        join twofold.entities o on o.tenant_id = k.tenant_id and o.id = coalesce(k.to_alias, k.to_id) where k.tenant_id = t.id),
      'sessions', (select coalesce(json_agg(s.name || ' ' || s.status || ' ' || s.last_seq order by s.name), '[]') from twofold.sessions s where s.tenant_id = t.id),
      'documents', (select coalesce(json_agg(d.file_path || ' v' || d.version || ' ' || d.sync_status order by d.file_path), '[]')
        from twofold.documents d where d.tenant_id = t.id),
      'settings', (select coalesce(json_agg(s.name order by s.name), '[]') from (
        select 'policy of ' || p.namespace as name from twofold.namespace_policies p where p.tenant_id = t.id
        union all select 'consolidation of ' || c.namespace from twofold.consolidations c where c.tenant_id = t.id) s),
      'left', json_build_object(
        'pending', (select count(*) from named m where m.pending_until is not null),
        'words of nothing', (select count(*) from twofold.postings p where p.tenant_id = t.id
          and not exists (select from twofold.memories m where m.tenant_id = p.tenant_id and m.row = p.row and m.deleted_at is null)),
        'mentions of nothing', (select count(*) from twofold.memory_entities e join named m on m.tenant_id = e.tenant_id and m.id = e.memory_id where m.deleted_at is not null),
        'leases', (select count(*) from twofold.ledger l where l.tenant_id = t.id and l.lease is not null),
        'owed', (select count(*) from twofold.ledger l where l.tenant_id = t.id and l.revision <> l.shown),
        'runs', (select count(*) from twofold.sync_runs r where r.tenant_id = t.id and r.ended_at is null),
        'generations', (select count(*) from twofold.graph_generations g where g.tenant_id = t.id and g.state <> 'dropped'),
        'changed policies', (select count(*) from twofold.policy_changes c where c.tenant_id = t.id),
        'replaced chunks', (select count(*) from twofold.document_chunks c where c.tenant_id = t.id and c.position is null),
        'collectable', (select count(*) from twofold.collectable c where c.tenant_id = t.id)))::text as found
    from t`,
    [id],
  )
  return JSON.parse(row?.found as string)
}

const LEFT = [
  ...['pending', 'words of nothing', 'mentions of nothing', 'leases', 'owed', 'runs', 'generations'],
  ...['changed policies', 'replaced chunks', 'collectable'],
]

function expectedRows(world: World): unknown {
  const byId = [...world.memories].sort((a, b) => (a.id < b.id ? -1 : 1))
  const counted = [
    ...byId.map((known) => ({ ...known, written: audited(known) })),
    ...world.erased.map((gone) => ({ ...gone, written: gone.written + 1 })),
  ].filter(({ chunk }) => !chunk)
  return {
    memories: byId.map(
      ({ id, version, deleted, by, content }) => `${id} v${version} ${deleted ? 'deleted ' : ''}${by ? `for ${by} ` : ''}${content}`,
    ),
    versions: Object.fromEntries(byId.map(({ id, version, squashed = 0 }) => [id, version - squashed])),
    audited: Object.fromEntries(counted.map(({ id, written }) => [id, written])),
    vectors: live(world)
      .map(({ id }) => id)
      .sort(),
    entities: knownIn(world),
    links: world.links.map(([from, to]) => `${from} knows ${to}`),
    sessions: world.sessions.map(({ name, status, events = 0 }) => `${name} ${status} ${events}`),
    documents: world.documents,
    settings: world.settings,
    left: Object.fromEntries(LEFT.map((what) => [what, 0])),
  }
}
