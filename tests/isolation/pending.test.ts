import type { Memory } from '@twofold/core/memories/memory.ts'
import { type Tenant, type World, world } from '@twofold/functions/fixture.ts'
import { operations } from '@twofold/functions/operations.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'

/**
 * A write that the graph may still take back is nobody's to read. The row here is pending, but everything that could
 * give it away is already there: words, a live vector, mentions, the graph. No operation may show it.
 */

let here: World
let tenant: Tenant
let memory: Memory
let zebra: string
beforeAll(async () => {
  here = await world({ TWOFOLD_OPERATOR_KEY: 'operator-key-of-the-test' })
  tenant = await here.tenant()
  const entities = [{ type: 'animal', value: 'Zebra' }]
  memory = await tenant.add({ content: 'Zebra hidden', kind: 'commitment', key: 'k', tags: ['t'], entities, waitFor: 'graph' })
  zebra = (await tenant.get('/v1/graph/entities?type=animal')).json.items[0].id
  await tenant.add({ content: 'plain', entities: [{ type: 'place', value: 'Porto' }], waitFor: 'graph' })
  await here.owner(`update twofold.memories set pending_until = '2999-01-01' where id = $1`, [memory.id])
})
afterAll(() => here.close())

const one = () => `/v1/memories/${memory.id}`
const LATER = '2999-01-01T00:00:00Z'
/** What each operation that reads, or reads before it writes, is asked in vain. */
const ASKED: Record<string, [method: string, path: () => string, body?: object][]> = {
  'memories.get': [
    ['GET', one],
    ['GET', () => `${one()}?version=1`],
    ['GET', () => `${one()}?asOf=${LATER}`],
  ],
  'memories.list': [
    ['GET', () => '/v1/memories'],
    ['GET', () => '/v1/memories?includeDeleted=true&namespace=user:alice'],
    ['GET', () => `/v1/memories?asOf=${LATER}&includeDeleted=true`],
    ['GET', () => '/v1/memories?key=k'],
  ],
  'memories.history': [['GET', () => `${one()}/history`]],
  'memories.diff': [['GET', () => `${one()}/diff?from=1&to=1`]],
  'memories.search': [
    ...['hybrid', 'vector', 'text'].flatMap((mode): [string, () => string, object][] => [
      ['POST', () => '/v1/memories/search', { query: 'Zebra hidden', mode }],
      ['POST', () => '/v1/memories/search', { query: 'Zebra hidden', mode, precision: 'exact', tags: ['t'] }],
      ['POST', () => '/v1/memories/search', { query: 'Zebra hidden', mode, userId: 'alice', asOf: LATER }],
    ]),
    ['POST', () => '/v1/memories/search', { query: 'plain', expand: { hops: 3 } }],
  ],
  'memories.update': [['PATCH', one, { importance: 1 }]],
  'memories.delete': [
    ['DELETE', one],
    ['DELETE', () => `${one()}?hard=true`],
  ],
  'memories.restore': [['POST', () => `${one()}/restore`, {}]],
  'memories.search_batch': [
    ['POST', () => '/v1/memories/search/batch', { queries: [{ query: 'hidden' }, { query: 'hidden', mode: 'text' }] }],
  ],
  'memories.context': [['POST', () => '/v1/memories/context', { query: 'What is hidden of the zebra?' }]],
  'memories.consolidate': ['exact', 'similar'].map((strategy): [string, () => string, object] => [
    'POST',
    () => '/v1/memories/consolidate',
    { namespace: 'user:alice', strategy, dryRun: true },
  ]),
  'memories.delete_all': [['POST', () => '/v1/memories/delete', { userId: 'alice', dryRun: true }]],
  'namespaces.get_key': [
    ['GET', () => '/v1/namespaces/user:alice/keys/k'],
    ['GET', () => '/v1/namespaces/user:alice/keys/k?version=1'],
  ],
  'namespaces.key_history': [['GET', () => '/v1/namespaces/user:alice/keys/k/history']],
  'namespaces.delete_key': [['DELETE', () => '/v1/namespaces/user:alice/keys/k']],
  'namespaces.list': [['GET', () => '/v1/namespaces']],
  'graph.paths': [['POST', () => '/v1/graph/paths', { from: { value: 'Zebra' }, to: { value: 'Porto' } }]],
  'graph.merge_entities': [['POST', () => `/v1/graph/entities/${zebra}/merge`, { into: '01900000-0000-7000-8000-000000000000' }]],
  'graph.unmerge_entity': [['POST', () => `/v1/graph/entities/${zebra}/unmerge`, {}]],
  'graph.query': [
    ['POST', () => '/v1/graph/query', { start: { value: 'Zebra' }, hops: 4 }],
    ['POST', () => '/v1/graph/query', { start: { type: 'person' }, hops: 4 }],
  ],
  'graph.entities': [['GET', () => '/v1/graph/entities']],
  'graph.entity': [['GET', () => `/v1/graph/entities/${zebra}`]],
  'graph.entity_context': [['GET', () => `/v1/graph/entities/${zebra}/context`]],
  'graph.related': [['GET', () => `/v1/graph/entities/${zebra}/related?via=MENTIONS&hops=4`]],
  'memories.recall': [['POST', () => '/v1/memories/recall', { query: 'Zebra hidden', memoryTypes: ['commitment', 'note'] }]],
  'decisions.list': [['GET', () => '/v1/decisions']],
  'patterns.list': [['GET', () => '/v1/patterns']],
  'commitments.list': [
    ['GET', () => '/v1/commitments'],
    ['GET', () => '/v1/commitments?status=open&userId=alice'],
  ],
  'commitments.complete': [['POST', () => `/v1/commitments/${memory.id}/complete`, {}]],
  'commitments.reopen': [['POST', () => `/v1/commitments/${memory.id}/reopen`, {}]],
}
/** They read no memory: they make new ones, count, or are about other things. */
const ELSEWHERE = [
  ...['memories.add', 'memories.add_batch', 'memories.from_messages', 'namespaces.put_key', 'documents.'],
  ...['put_policy', 'get_policy', 'delete_policy', 'put_consolidation', 'get_consolidation'].map((verb) => `namespaces.${verb}`),
  ...['decisions.record', 'commitments.create', 'patterns.record'],
  ...['graph.create_entities', 'graph.link_nodes', 'sessions.', 'conversations.', 'audit.', 'persistence.', 'keys.', 'tenants.', 'system.'],
]

test('every operation is asked, or is known to read no memory', () => {
  const unknown = operations.map(({ name }) => name).filter((name) => !(name in ASKED) && !ELSEWHERE.some((each) => name.startsWith(each)))
  expect(unknown).toEqual([])
})

const every = Object.entries(ASKED).flatMap(([name, asks]) => asks.map(([method, path, body]) => ({ name, method, path, body })))
test.each(every)('$name shows nothing of a pending memory: $method $body', async ({ method, path, body }) => {
  const { status, text } = await tenant.call(method, path(), body)
  expect([200, 404]).toContain(status)
  expect(text).not.toMatch(/zebra/i)
  if (status === 200) expect(text).not.toContain(memory.id)
  expect(await here.owner('select version from twofold.memories where id = $1 and deleted_at is null', [memory.id])).toEqual([
    { version: '1' },
  ])
})

test('a search from a pending memory finds no such start', async () => {
  const { status, text } = await tenant.post('/v1/graph/query', { start: { memoryId: memory.id } })
  expect([status, /zebra/i.test(text)]).toEqual([404, false])
})

test('its id and key are taken all the same, without saying by whom', async () => {
  const byId = await tenant.post('/v1/memories', { userId: 'alice', id: memory.id, content: 'x' })
  const byKey = await tenant.post('/v1/memories', { userId: 'alice', key: 'k', content: 'x' })
  const put = await tenant.call('PUT', '/v1/namespaces/user:alice/keys/k', { value: 'x' })
  for (const { status, json, text } of [byId, byKey, put])
    expect([status, json.code, /zebra/i.test(text)]).toEqual([409, 'in_progress', false])
  const { items } = (await tenant.post('/v1/memories/batch', { items: [{ userId: 'alice', key: 'k', content: 'x' }] })).json
  expect(items[0].error.code).toBe('in_progress')
})

test('the status counts it nowhere but in the graph, which has it', async () => {
  expect((await tenant.get('/api/persistence/status')).json.metrics).toMatchObject({ totalMemories: 1 })
})
