import { createKnowledge, createRelations } from '@twofold/core/knowledge/create.ts'
import { deleteEntities, deleteObservations, deleteRelations } from '@twofold/core/knowledge/delete.ts'
import { addObservations } from '@twofold/core/knowledge/observe.ts'
import { openNodes, readGraph, searchNodes } from '@twofold/core/knowledge/read.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { filling } from './fill.ts'
import { wide } from './plan.ts'
import { caller, FILLING_MS, type Filled, GRANTS, onFilled } from './world.ts'

/** What the tools of the reference memory server ask of the database, as the application's role. */

/** 100,000 memories on the Postgres server that TEST_DATABASE_URL names, else 2,000: how a plan reaches its rows is the same. */
const SIZES = process.env.TEST_DATABASE_URL ? { large: 35_000, people: 650 } : { large: 1_000, people: 10 }

let deps: Deps
let during: Filled['during']
let close: Filled['close']
beforeAll(async () => {
  ;({ deps, during, close } = await onFilled((database) => {
    const each = Object.fromEntries(Array.from({ length: SIZES.people }, (_, i) => [`user:u${i}`, 100]))
    return filling({ subjects: { 'user:large': SIZES.large, ...each }, grants: GRANTS, others: 20 }).prepare(database)
  }))
}, FILLING_MS)
afterAll(() => close())

const [small, large] = [{ namespace: 'user:u7' }, { namespace: 'user:large' }]
const person = (name: string, ...observations: string[]) => ({ name, entityType: 'person', observations })
const met = { from: 'Name 7', to: 'Ada', relationType: 'met' }

/** By the name in every subject, or in the one; of a subject with few types either is a look-up. */
const NAME = expect.stringMatching(/^entities_by_(spelling \(tenant_id|name \(tenant_id, subject), normalized\)$/)
const ID = 'entities_pkey (tenant_id, id)'
const SUBJECT = 'entities_by_name (tenant_id, subject)'
const MENTIONS = 'memory_entities_by_entity (tenant_id, entity_id)'
const OF_MEMORY = 'memory_entities_by_memory (tenant_id, memory_id)'
const NAMESPACE = expect.stringMatching(/^memories_\w+ \(tenant_id, namespace\)$/)
const EDGES = ['relations_by_from (tenant_id, from_id)', 'relations_by_to (tenant_id, to_id)']

test.each<[string, () => Promise<unknown>, unknown[], string[]?]>([
  ['a graph', () => readGraph(deps, caller(), small), [SUBJECT, MENTIONS, ...EDGES]],
  // In the order of the ids, until as many are found as are shown: a third of what it passes is in it.
  ['a large graph', () => readGraph(deps, caller(), large), [MENTIONS], ['entities_pkey (tenant_id)']],
  ['nodes by name', () => openNodes(deps, caller(), { ...large, names: ['Name 7', 'Name 8'] }), [NAME, ID, MENTIONS, ...EDGES]],
  ['a search', () => searchNodes(deps, caller(), { ...small, query: 'name 7' }), [NAMESPACE, OF_MEMORY]],
  ['a search of a large graph', () => searchNodes(deps, caller(), { ...large, query: 'name 7' }), [NAMESPACE]],
  [
    'making entities',
    () => createKnowledge(deps, caller(), { ...large, entities: [person('Ada', 'likes tea'), person('Name 7')] }),
    [NAME, ID],
  ],
  [
    'observing',
    () => addObservations(deps, caller(), { ...large, observations: [{ entityName: 'Ada', contents: ['sings'] }] }),
    [NAME, ID],
  ],
  ['relating', () => createRelations(deps, caller(), { ...large, relations: [met] }), [NAME, ID]],
  ['deleting relations', () => deleteRelations(deps, caller(), { ...large, relations: [met] }), [NAME, ID]],
  [
    'deleting observations',
    () => deleteObservations(deps, caller(), { ...large, deletions: [{ entityName: 'Ada', observations: ['sings'] }] }),
    [MENTIONS, OF_MEMORY],
  ],
  ['deleting entities', () => deleteEntities(deps, caller(), { ...large, entityNames: ['Ada'] }), [MENTIONS, OF_MEMORY, ID]],
])('%s', async (_, work, ways, allowed = []) => {
  const seen = await during(work)
  expect([...seen]).toEqual(expect.arrayContaining(ways))
  expect(wide(seen).filter((way) => !allowed.includes(way))).toEqual([])
})
