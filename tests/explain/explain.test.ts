import { completeCommitment } from '@twofold/core/commitments/complete.ts'
import { type Commitments, getCommitments } from '@twofold/core/commitments/list.ts'
import { getDecisions } from '@twofold/core/decisions/list.ts'
import { recordDecision } from '@twofold/core/decisions/record.ts'
import { collect } from '@twofold/core/entities/collect.ts'
import { getEntityContext } from '@twofold/core/entities/context.ts'
import { createEntity } from '@twofold/core/entities/create.ts'
import { linkNodes } from '@twofold/core/entities/link.ts'
import { mergeEntities, unmergeEntity } from '@twofold/core/entities/merge.ts'
import { readEntity } from '@twofold/core/entities/read.ts'
import { findRelated, RelatedQuery } from '@twofold/core/entities/related.ts'
import { forgetRequests } from '@twofold/core/forget-requests.ts'
import { type EntitiesQuery, listEntities } from '@twofold/core/graph/entities.ts'
import { retryOld } from '@twofold/core/graph/parked.ts'
import { findPaths, PathsQuery } from '@twofold/core/graph/paths.ts'
import { project } from '@twofold/core/graph/project.ts'
import { purgeTombstones } from '@twofold/core/graph/purge.ts'
import { GraphQuery, queryGraph } from '@twofold/core/graph/query.ts'
import { listKeys } from '@twofold/core/keys/keys.ts'
import { backfill } from '@twofold/core/memories/backfill.ts'
import { expire } from '@twofold/core/memories/expire.ts'
import { forget } from '@twofold/core/memories/forget.ts'
import { diff, history } from '@twofold/core/memories/history.ts'
import { type Listing, list } from '@twofold/core/memories/list.ts'
import { sweepPending } from '@twofold/core/memories/pending.ts'
import { PromptQuery, promptContext } from '@twofold/core/memories/prompt.ts'
import { read } from '@twofold/core/memories/read.ts'
import { recall, recallKinds } from '@twofold/core/memories/recall.ts'
import { remember } from '@twofold/core/memories/remember.ts'
import { restore } from '@twofold/core/memories/restore.ts'
import { SearchQuery } from '@twofold/core/memories/search.ts'
import { update } from '@twofold/core/memories/update.ts'
import { deleteSession } from '@twofold/core/sessions/delete.ts'
import { endSession } from '@twofold/core/sessions/end.ts'
import { readSession } from '@twofold/core/sessions/read.ts'
import { startSession } from '@twofold/core/sessions/start.ts'
import { sql } from '@twofold/core/sql.ts'
import { indexOf } from '@twofold/postgres/ensure-model.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keyOf, MODEL, TENANT, word } from './fill.ts'
import { waysWithin, wide } from './plan.ts'
import { FILLING_MS, type Grant, type World, world } from './world.ts'

/**
 * Under row-level security only leakproof conditions reach an index; any other filters all that the tenant has, behind
 * a plan that still names an index. So every operation runs here as the application's role, and what each of its
 * statements lets an index decide is held against what it should: not only no table read as a whole, but no index asked
 * by tenant alone.
 */
let w: World
beforeAll(async () => {
  w = await world()
}, FILLING_MS)
afterAll(() => w.close())

type Case = [what: string, work: () => Promise<unknown>, ways: string[], wide?: string[]]

const THEN = '2026-02-28T00:00:00Z'
const HNSW = `${indexOf(MODEL)} ()`
const listed = (listing: Partial<Listing>, grant?: Grant) => list(w.deps, w.caller(grant), { limit: 50, after: null, ...listing })
const searched = (given: object, grant?: Grant) =>
  recall(w.deps, w.caller(grant), SearchQuery.parse({ query: `${word(900)} ${word(40)}`, ...given }))
const entities = (given: Partial<EntitiesQuery>, grant?: Grant) => listEntities(w.deps, w.caller(grant), { limit: 50, ...given })
const asked = (given: object, grant?: Grant) => queryGraph(w.deps, w.caller(grant), GraphQuery.parse({ hops: 2, ...given }))

const promised = (given: Partial<Commitments>, grant?: Grant) =>
  getCommitments(w.deps, w.caller(grant), { namespacePrefix: 'user:large', limit: 50, after: null, ...given })
const person = (value: string) => ({ type: 'person', value, subject: 'user:u7' })

async function reaches([, work, ways, allowed = []]: Case) {
  const seen = await w.during(work)
  expect([...seen]).toEqual(expect.arrayContaining(ways))
  // The planner may do better than it may do.
  expect(wide(seen).filter((way) => !allowed.includes(way))).toEqual([])
}

/** For a few memories any index of what lies there will do. */
const IN_PLACE = expect.stringMatching(/^memories_(by_namespace|by_change|live) \(tenant_id, namespace\)$/)

const READS: Case[] = [
  ['a memory by id', () => read(w.deps, w.caller(), w.memory.id), ['memories_pkey (tenant_id, id)', 'ledger_pkey (tenant_id, id)']],
  [
    'a version of a memory',
    () => read(w.deps, w.caller(), w.memory.id, { version: 1 }),
    ['memory_versions_pkey (tenant_id, memory_id, version)'],
  ],
  [
    'the versions of a memory',
    () => history(w.deps, w.caller(), w.memory.id, { limit: 10, after: null }),
    ['memory_versions_pkey (tenant_id, memory_id, version)'],
  ],
  ['two versions to compare', () => diff(w.deps, w.caller(), w.memory.id, 1, 1), ['memory_versions_pkey (tenant_id, memory_id, version)']],
  ['a memory by key', () => listed({ namespace: w.memory.namespace, key: w.memory.key }), ['memories_by_key (tenant_id, namespace, key)']],
  ['a list of a small namespace', () => listed({ namespace: 'user:u7:notes' }), [IN_PLACE]],
  ['a list of a large namespace', () => listed({ namespace: 'user:large' }), ['memories_by_namespace (tenant_id, namespace)']],
  [
    'the next page of it',
    () => listed({ namespace: 'user:large', after: w.memory.id }),
    ['memories_by_namespace (tenant_id, namespace, id)'],
  ],
  ['a list of a small prefix', () => listed({ namespacePrefix: 'user:u7' }), [IN_PLACE]],
  // In the order of the ids, until the page is full: half of what it passes is in it.
  ['a list of a large prefix', () => listed({ namespacePrefix: 'user:large' }), [], ['memories_pkey (tenant_id)']],
  ['a list of everything', () => listed({}), [], ['memories_pkey (tenant_id)']],
  ['a list of all that a narrow key may see', () => listed({}, 'user:u7'), [IN_PLACE]],
  ['a list by update', () => listed({ updatedSince: THEN }), ['memories_by_update (tenant_id, updated_at)']],
  ['a list of a session', () => listed({ sessionId: 'session 8' }), ['memories_by_session (tenant_id, session_id)']],
  ['a list of a task', () => listed({ taskId: 'task 8' }), ['memories_by_task (tenant_id, task_id)']],
  ['a list by creator', () => listed({ createdBy: 'maker 7' }), ['memories_by_creator (tenant_id, created_by)']],
  [
    'a list as of a moment',
    () => listed({ namespace: w.memory.namespace, asOf: THEN }),
    ['memory_versions_by_time (tenant_id, namespace, at)'],
  ],
  [
    'the same of all that a narrow key may see',
    () => listed({ asOf: THEN }, 'user:u7'),
    ['memory_versions_by_time (tenant_id, namespace, at)'],
  ],
  [
    'the entities of a subject',
    () => entities({ subject: 'user:u7' }),
    ['entities_by_name (tenant_id, subject)', 'memory_entities_by_entity (tenant_id, entity_id)'],
  ],
  [
    'the entities that a narrow key may see',
    () => entities({}, 'user:u7'),
    ['entities_by_name (tenant_id, subject)', 'memory_entities_by_entity (tenant_id, entity_id)'],
  ],
  [
    'the entities by a word of their name',
    () => entities({ q: word(2003), subject: 'user:u7' }),
    ['entity_terms_pkey (tenant_id, term, subject)'],
  ],
  ['all entities', () => entities({}), ['memory_entities_by_entity (tenant_id, entity_id)'], ['entities_pkey (tenant_id)']],
  // A subject that holds most of them is filtered rather than looked up.
  [
    'decisions of a subject',
    () => getDecisions(w.deps, w.caller(), { namespacePrefix: 'user:u7', limit: 50, after: null }),
    [expect.stringMatching(/^memories_by_kind \(tenant_id, kind(, namespace)?\)$/)],
  ],
  [
    'decisions of one namespace',
    () => getDecisions(w.deps, w.caller(), { namespace: 'user:large:notes', limit: 50, after: null }),
    ['memories_by_kind (tenant_id, kind, namespace)'],
  ],
  [
    'open commitments of a large subject',
    () => promised({ status: 'open' }),
    [expect.stringMatching(/^commitments_by_status \(tenant_id, status(, namespace)?\)$/)],
  ],
  [
    'overdue ones of one owner',
    () => promised({ status: 'overdue', owner: 'owner 3', namespacePrefix: 'user:u7' }),
    ['commitments_by_status (tenant_id, status, namespace)'],
  ],
  [
    'completed ones that a narrow key may see',
    () => promised({ status: 'completed', namespacePrefix: undefined }, 'user:u7'),
    ['commitments_by_status (tenant_id, status, namespace)'],
  ],
  [
    'an entity by id',
    () => readEntity(w.deps, w.caller(), w.entity.id),
    ['entities_pkey (tenant_id, id)', 'memory_entities_by_entity (tenant_id, entity_id)'],
  ],
  ['a session', () => readSession(w.deps, w.caller(), 'session 7'), ['sessions_by_name (tenant_id, name)']],
  ['the keys', () => listKeys(w.deps, w.caller(), { limit: 20, after: null }), [], ['api_keys_by_tenant (tenant_id)']],
]

const WORDS = ['postings_pkey (tenant_id, term, subject)', 'postings_pkey (tenant_id, term, subject, row)']
const ENTITIES = [
  'entity_terms_pkey (tenant_id, term, subject)',
  'entity_terms_by_entity (tenant_id, entity_id)',
  'memory_entities_by_entity (tenant_id, entity_id)',
]
const ROWS = [
  'memories_by_row (tenant_id, row)',
  'embeddings_pkey (tenant_id, memory_id, model)',
  'memories_by_namespace (tenant_id, namespace)',
]
// The row that is owed longest: the first of the index.
const OWED = 'ledger_owed (tenant_id)'

const SEARCHES: Case[] = [
  [
    'a small subject',
    () => searched({ namespacePrefix: 'user:u7' }),
    ['embeddings_by_subject (tenant_id, model, subject)', ...WORDS, ...ENTITIES, ...ROWS],
    [OWED],
  ],
  ['a large subject', () => searched({ namespacePrefix: 'user:large' }), [...WORDS, ...ENTITIES, ...ROWS], [HNSW, OWED]],
  [
    'everything',
    () => searched({}),
    ['postings_pkey (tenant_id, term)', WORDS[1] as string, 'entity_terms_pkey (tenant_id, term)', ...ROWS],
    [HNSW, OWED],
  ],
  [
    'all that a narrow key may see',
    () => searched({}, 'user:u7'),
    ['embeddings_by_subject (tenant_id, model, subject)', ...WORDS, ...ENTITIES, ...ROWS],
    [OWED],
  ],
  [
    'what filters hide, exactly',
    () => searched({ namespacePrefix: 'user:u7', tags: ['none has it'] }),
    ['embeddings_by_subject (tenant_id, model, subject)'],
    [OWED],
  ],
  [
    'a moment in the past',
    () => searched({ namespace: w.memory.namespace, asOf: THEN }),
    [
      'memory_versions_by_time (tenant_id, namespace, at)',
      'past_embeddings_pkey (tenant_id, memory_id, model, version)',
      'embeddings_pkey (tenant_id, memory_id, model)',
    ],
  ],
  [
    'several kinds, with what the graph connects',
    () =>
      recallKinds(w.deps, w.caller(), {
        query: `${word(900)} ${word(40)}`,
        memoryTypes: ['decision', 'commitment'],
        namespacePrefix: 'user:u7',
        limit: 10,
      }),
    [...ROWS, 'edges_by_from (tenant_id, from_id, generation)', 'nodes_pkey (tenant_id, id, generation)'],
    [OWED],
  ],
  [
    'what is known, for a prompt',
    () => promptContext(w.deps, w.caller(), PromptQuery.parse({ query: `${word(900)} ${word(40)}`, namespacePrefix: 'user:u7' })),
    ['memory_entities_by_entity (tenant_id, entity_id)', ...ENTITIES, ...ROWS],
    [OWED],
  ],
  [
    'what the graph connects',
    () => searched({ namespacePrefix: 'user:u7', expand: { hops: 2 } }),
    [
      'edges_by_from (tenant_id, from_id, generation)',
      'edges_by_to (tenant_id, to_id, generation)',
      'nodes_pkey (tenant_id, id, generation)',
    ],
    [OWED],
  ],
]

const TRAVERSED = [
  'edges_by_from (tenant_id, from_id, generation)',
  'edges_by_to (tenant_id, to_id, generation)',
  'nodes_pkey (tenant_id, id, generation)',
]
const SHOWN = ['memories_pkey (tenant_id, id)', 'entities_pkey (tenant_id, id)', 'ledger_owed_by_subject (tenant_id, subject)']

const QUESTIONS: Case[] = [
  ['from a memory', () => asked({ start: { memoryId: w.memory.id } }), [...TRAVERSED, ...SHOWN]],
  [
    'from a name in one subject',
    () => asked({ start: { type: 'person', value: 'Name 3' }, namespacePrefix: 'user:u7' }),
    [...TRAVERSED, ...SHOWN],
  ],
  [
    'from a name in all of them',
    () => asked({ start: { type: 'person', value: 'Name 3' } }),
    ['entities_by_spelling (tenant_id, normalized, type)', ...TRAVERSED, ...SHOWN],
  ],
  [
    'what an entity is related to',
    () => findRelated(w.deps, w.caller(), RelatedQuery.parse({ id: w.entity.id, hops: 2 })),
    [...TRAVERSED, ...SHOWN.slice(1)],
  ],
  [
    'what is known around an entity',
    () => getEntityContext(w.deps, w.caller(), { id: w.entity.id, limit: 20 }),
    [
      ...TRAVERSED,
      'memory_entities_by_entity (tenant_id, entity_id)',
      'memory_entities_by_memory (tenant_id, memory_id, entity_id)',
      'commitments_by_status (tenant_id, status, namespace)',
    ],
  ],
  [
    'how two entities hang together',
    () => {
      const to = { type: 'person', value: 'Name 9' }
      return findPaths(w.deps, w.caller(), PathsQuery.parse({ from: { id: w.entity.id }, to, namespacePrefix: 'user:large' }))
    },
    [...TRAVERSED, ...SHOWN.slice(0, 2)],
  ],
  ['from all of a type that a narrow key may see', () => asked({ start: { type: 'person' } }, 'user:u7'), [...TRAVERSED, ...SHOWN]],
]

const WRITES: Case[] = [
  [
    'a memory with entities into both stores',
    () =>
      remember(w.deps, w.caller(), { namespace: 'user:u7', key: 'new', content: 'Ada Lovelace works at Acme in Turin', waitFor: 'graph' }),
    [
      'memories_by_key (tenant_id, namespace, key)',
      'entities_by_name (tenant_id, subject, type, normalized)',
      'ledger_leased (tenant_id, lease)',
      'edges_pkey (tenant_id, owner)',
    ],
  ],
  [
    'the next version',
    () => update(w.deps, w.caller(), w.memory.id, { content: 'Grace Hopper knows Ada Lovelace' }),
    [
      'postings_pkey (tenant_id, term, subject, row)',
      'entities_by_name (tenant_id, subject, type, normalized)',
      'relations_by_memory (tenant_id, memory_id)',
      'memory_entities_by_memory (tenant_id, memory_id)',
    ],
  ],
  [
    'its deletion',
    () => forget(w.deps, w.caller(), w.memory.id, { hard: false, cascadeGraph: true }),
    ['postings_pkey (tenant_id, term, subject, row)', 'memory_entities_by_memory (tenant_id, memory_id)'],
  ],
  ['its return', () => restore(w.deps, w.caller(), w.memory.id), ['memory_versions_pkey (tenant_id, memory_id, version)']],
  [
    'its deletion for good',
    () => forget(w.deps, w.caller(), w.memory.id, { hard: true, cascadeGraph: false }),
    ['idempotency_keys_pkey (tenant_id, key_id, key)', 'postings_pkey (tenant_id, term, subject, row)'],
  ],
]

const MADE: Case[] = [
  [
    'entities for their own sake',
    () => createEntity(w.deps, w.caller(), { entities: [person('Name 3'), person('Nobody yet')], waitFor: 'graph' }),
    ['entities_by_name (tenant_id, subject, type, normalized)', 'ledger_pkey (tenant_id, id)'],
  ],
  [
    'links',
    () => linkNodes(w.deps, w.caller(), { links: [{ from: person('Name 3'), type: 'knows', to: person('Name 9') }], waitFor: 'graph' }),
    ['entities_by_name (tenant_id, subject, type, normalized)', 'links_by_ends (tenant_id, from_id)'],
  ],
  [
    'two entities that are one, and their undoing',
    async () => {
      const [rows] = await w.inner.asTenant(TENANT, [
        sql<{ id: string }>`select id from entities where subject = 'user:u7' and value in ('Name 3', 'Name 9') order by value`,
      ])
      const [one, other] = rows.map(({ id }) => id) as [string, string]
      await mergeEntities(w.deps, w.caller(), { id: one, into: other })
      await unmergeEntity(w.deps, w.caller(), { id: one })
    },
    [
      ...['memory_entities_by_entity (tenant_id, entity_id)', 'memory_entities_by_alias (tenant_id, alias_id)'],
      ...['relations_by_from (tenant_id, from_id)', 'relations_by_to (tenant_id, to_id)', 'links_by_to (tenant_id, to_id)'],
      ...['relations_by_from_alias (tenant_id, from_alias)', 'relations_by_to_alias (tenant_id, to_alias)'],
      ...['entities_by_merger (tenant_id, merged_into)', 'entities_pkey (tenant_id, id)', 'ledger_pkey (tenant_id, id)'],
    ],
  ],
  [
    'a decision',
    () => recordDecision(w.deps, w.caller(), { namespace: 'user:u7', title: 'Use Postgres', rationale: 'One truth' }),
    ['memories_pkey (tenant_id, id)'],
  ],
  [
    'a session with what carries its id',
    () => startSession(w.deps, w.caller(), { id: 'session 1000', appName: 'app', userId: 'u7' }),
    ['memories_by_session (tenant_id, session_id)', 'sessions_by_name (tenant_id, name)'],
  ],
  [
    'the deletion of a session',
    () => deleteSession(w.deps, w.caller(), 'session 8'),
    [
      'memories_by_session (tenant_id, session_id)',
      'memory_versions_pkey (tenant_id, memory_id)',
      'sessions_by_name (tenant_id, name)',
      'idempotency_keys_by_session (tenant_id, target)',
    ],
  ],
  ['the end of a session', () => endSession(w.deps, w.caller(), 'session 7'), ['sessions_by_name (tenant_id, name)']],
  [
    'the end of a commitment',
    () => completeCommitment(w.deps, w.caller(), w.commitment.id, 'done'),
    ['memories_pkey (tenant_id, id)', 'embeddings_pkey (tenant_id, memory_id)'],
  ],
]

/** Nothing is asked of no ids, from which Postgres concludes that any partial index will do. */
const OF_NO_IDS = ['memories_by_superseder (tenant_id)', 'memory_entities_by_alias (tenant_id)']

const WORK: Case[] = [
  [
    'what the graph is owed',
    () => project(w.deps, TENANT, { oldest: 50 }),
    ['ledger_leased (tenant_id, lease)', 'nodes_pkey (tenant_id, id)', 'edges_pkey (tenant_id, owner)'],
    [OWED, ...OF_NO_IDS],
  ],
  [
    'what was given up',
    () => retryOld(w.deps, TENANT, new Date(), 20),
    ['ledger_parked (tenant_id, parked_at)', 'drift_parked (tenant_id, thing)'],
    // An index of nothing but what is parked.
    ['ledger_parked (tenant_id)'],
  ],
  [
    'tombstones of the past',
    () => purgeTombstones(w.deps, TENANT),
    ['nodes_gone (tenant_id, generation, gone_at)', 'ledger_tombstones (tenant_id, tombstone_at)'],
  ],
  [
    'what models owe',
    () => backfill(w.deps, TENANT, 2, AbortSignal.timeout(20_000)),
    ['memory_versions_pkey (tenant_id, memory_id)'],
    ['memories_owing_models (tenant_id)'],
  ],
  ['writes that nobody finished', () => sweepPending(w.deps, TENANT, 2), ['memories_pending (tenant_id, pending_until)']],
  ['memories whose time has come', () => expire(w.deps, TENANT, 10), ['memories_expiring (tenant_id, ends_at)']],
  ['requests of the day before', () => forgetRequests(w.deps, TENANT, 50), ['idempotency_keys_by_age (tenant_id, created_at)']],
  // Candidates are no more than what lost a mention since the last sweep.
  [
    'entities that nothing mentions',
    () => collect(w.deps, TENANT, 20),
    ['memory_entities_by_entity (tenant_id, entity_id)', 'relations_by_from (tenant_id, from_id)', 'relations_by_to (tenant_id, to_id)'],
    ['all of collectable'],
  ],
]

describe.each([
  ['reading', READS],
  ['searching', SEARCHES],
  ['asking the graph', QUESTIONS],
  ['making', MADE],
  ['writing', WRITES],
  ['the background work of', WORK],
])('%s', (_, cases) => {
  test.each(cases)('%s goes by the indexes meant for it', (...it) => reaches(it as Case))
})

describe('inside the database', () => {
  const across = (statements: readonly any[]) => w.deps.db.across(statements)
  const asTenant = (statements: readonly any[]) => w.inner.asTenant(TENANT, statements)

  test('a key is found by its hash, the present one or the former', async () => {
    const call = sql`select authorize(${keyOf('*')}::bytea, null, null, null, now(), '', null)`
    expect(await waysWithin(across, call, 'twofold.api_keys')).toEqual(['api_keys_former_hash_key', 'api_keys_hash_key'])
  })

  test('an idempotency key is claimed by its name', async () => {
    const call = sql`select claim('a new one', 0, 'memories.add', sha256('x'), '[]', now())`
    expect(await waysWithin(asTenant, call, 'twofold.idempotency_keys')).toEqual(['idempotency_keys_pkey'])
  })

  test('what becomes owed is found by its id', async () => {
    const call = sql`select owe('memory', array[${w.memory.id}::uuid], array['user:u7'], now())`
    expect(await waysWithin(asTenant, call, 'twofold.ledger')).toEqual(['ledger_pkey'])
  })

  test.each([
    ['graph', 'twofold.ledger', 'ledger_owed'],
    ['models', 'twofold.memories', 'memories_owing_models'],
    ['pending', 'twofold.memories', 'memories_pending'],
    ['expired', 'twofold.memories', 'memories_expiring'],
    ['parked', 'twofold.ledger', 'ledger_parked'],
    ['tombstones', 'twofold.ledger', 'ledger_tombstones'],
    ['requests', 'twofold.idempotency_keys', 'idempotency_keys_by_age'],
  ])('tenants with work of the sort %s are found by its index', async (work, table, index) => {
    const call = sql`select * from tenants_with(${work}, '2026-03-01', 50)`
    expect(await waysWithin(across, call, table)).toEqual([index])
  })
})
