import { createKnowledge, createRelations } from '@twofold/core/knowledge/create.ts'
import { deleteEntities, deleteObservations, deleteRelations } from '@twofold/core/knowledge/delete.ts'
import { addObservations } from '@twofold/core/knowledge/observe.ts'
import { openNodes, readGraph, searchNodes } from '@twofold/core/knowledge/read.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { wide } from './plan.ts'
import { type World, world } from './world.ts'

/** What the tools of the reference memory server ask of the database, as the application's role. */
let w: World
beforeAll(async () => {
  w = await world()
}, 1_500_000)
afterAll(() => w.close())

const [small, large] = [{ namespace: 'user:u7' }, { namespace: 'user:large' }]
const person = (name: string, ...observations: string[]) => ({ name, entityType: 'person', observations })
const met = { from: 'Name 7', to: 'Ada', relationType: 'met' }

const NAME = 'entities_by_spelling (tenant_id, normalized)'
const ID = 'entities_pkey (tenant_id, id)'
const SUBJECT = 'entities_by_name (tenant_id, subject)'
const MENTIONS = 'memory_entities_by_entity (tenant_id, entity_id)'
const OF_MEMORY = 'memory_entities_by_memory (tenant_id, memory_id)'
const NAMESPACE = 'memories_by_namespace (tenant_id, namespace)'
const EDGES = ['relations_by_from (tenant_id, from_id)', 'relations_by_to (tenant_id, to_id)']

test.each<[string, () => Promise<unknown>, string[], string[]?]>([
  ['a graph', () => readGraph(w.deps, w.caller(), small), [SUBJECT, MENTIONS, ...EDGES]],
  ['a large graph', () => readGraph(w.deps, w.caller(), large), [MENTIONS]],
  ['nodes by name', () => openNodes(w.deps, w.caller(), { ...large, names: ['Name 7', 'Name 8'] }), [NAME, ID, MENTIONS, ...EDGES]],
  ['a search', () => searchNodes(w.deps, w.caller(), { ...small, query: 'name 7' }), [NAMESPACE, OF_MEMORY]],
  ['a search of a large graph', () => searchNodes(w.deps, w.caller(), { ...large, query: 'name 7' }), [NAMESPACE]],
  [
    'making entities',
    () => createKnowledge(w.deps, w.caller(), { ...large, entities: [person('Ada', 'likes tea'), person('Name 7')] }),
    [NAME, ID],
  ],
  [
    'observing',
    () => addObservations(w.deps, w.caller(), { ...large, observations: [{ entityName: 'Ada', contents: ['sings'] }] }),
    [NAME, ID],
  ],
  ['relating', () => createRelations(w.deps, w.caller(), { ...large, relations: [met] }), [NAME, ID]],
  ['deleting relations', () => deleteRelations(w.deps, w.caller(), { ...large, relations: [met] }), [NAME, ID]],
  [
    'deleting observations',
    () => deleteObservations(w.deps, w.caller(), { ...large, deletions: [{ entityName: 'Ada', observations: ['sings'] }] }),
    [MENTIONS, OF_MEMORY],
  ],
  ['deleting entities', () => deleteEntities(w.deps, w.caller(), { ...large, entityNames: ['Ada'] }), [MENTIONS, OF_MEMORY, ID]],
])('%s', async (_, work, ways, allowed = []) => {
  const seen = await w.during(work)
  expect([...seen]).toEqual(expect.arrayContaining(ways))
  expect(wide(seen).filter((way) => !allowed.includes(way))).toEqual([])
})
