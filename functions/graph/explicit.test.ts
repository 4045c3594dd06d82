import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Ask, sweep, type Tenant, type World, world } from '../fixture.ts'

/** Entities and links that somebody makes for their own sake. */

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const subject = 'user:alice'
const person = (value: string, of = subject) => ({ type: 'person', value, subject: of })
const create = (values: string[], more: object = {}, ask?: Ask) =>
  tenant.post('/v1/graph/entities', { entities: values.map((value) => person(value)), ...more }, ask)
const knows = (from: string, to: string, properties?: object) => ({ from: person(from), type: 'knows', to: person(to), properties })
const link = (links: object[], more: object = {}, ask?: Ask) => tenant.post('/v1/graph/links', { links, waitFor: 'graph', ...more }, ask)
const values = async (key?: string): Promise<string[]> =>
  (await tenant.get('/v1/graph/entities', key ? { key } : {})).json.items.map((e: { value: string }) => e.value)
const query = async (body: object, key?: string) => (await tenant.post('/v1/graph/query', body, key ? { key } : {})).json
const names = (answer: any): string[] => answer.nodes.map((node: any) => node.content ?? node.value).sort()

describe('an entity made for its own sake', () => {
  test('is there at once and in the graph when asked for, once for all its spellings', async () => {
    const { status, json } = await create(['Ada Lovelace', 'ada  LOVELACE', 'Bert'], { waitFor: 'graph' })
    expect(status).toBe(200)
    expect(json.entities).toMatchObject([
      { kind: 'entity', ...person('Ada Lovelace'), normalized: 'ada_lovelace', created: true },
      { value: 'Ada Lovelace', created: true },
      { value: 'Bert', created: true },
    ])
    expect(json.entities[1].id).toBe(json.entities[0].id)
    expect(json.receipt).toMatchObject({ vectorWriteSuccess: true, graphWriteSuccess: true, owed: [] })
    const again = (await create(['ADA LOVELACE'])).json
    expect(again.entities).toEqual([{ ...json.entities[0], created: false }])
    expect(await values()).toEqual(['Ada Lovelace', 'Bert'])
    expect(names(await query({ start: { value: 'ada lovelace' } }))).toEqual(['Ada Lovelace'])
  })

  test('is owed to the graph until the relay or the queue brings it there', async () => {
    const { receipt } = (await create(['Ada'])).json
    expect([receipt.graphWriteSuccess, receipt.stores.graph.state, receipt.owed]).toEqual([false, 'owed', ['graph']])
    await sweep(here.deps)
    expect((await create(['Ada'])).json.receipt).toMatchObject({ graphWriteSuccess: true, owed: [] })
  })

  test('stays when the last memory that mentions it goes, also one that only memories knew before', async () => {
    const memory = await tenant.add({ content: 'x', extractEntities: false, entities: [{ type: 'person', value: 'Anna' }] })
    expect((await create(['Anna'])).json.entities).toMatchObject([{ value: 'Anna', created: false }])
    await tenant.del(`/v1/memories/${memory.id}?hard=true`)
    for (let i = 0; i < 3; i++) await sweep(here.deps)
    expect(await values()).toEqual(['Anna'])
  })

  test('is audited, and made once by a request that is sent twice', async () => {
    const headers = { 'idempotency-key': randomUUID() }
    const first = await create(['Ada', 'Bert'], {}, { headers })
    const again = await create(['Ada', 'Bert'], {}, { headers })
    expect([again.headers.get('idempotency-replayed'), again.json.entities]).toEqual(['true', first.json.entities])
    expect((await create(['Carl'], {}, { headers })).json.code).toBe('idempotency_mismatch')
    const audited = await here.owner(
      `select action, namespace from twofold.audit_log a join twofold.tenants t on t.id = a.tenant_id where t.uuid = $1`,
      [tenant.id],
    )
    expect(audited).toEqual(Array(2).fill({ action: 'entities.create', namespace: subject }))
  })

  test('of eight who make it at once there is one, and one of them is told that he made it', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(['Ada', 'Bert'])))
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200))
    expect(answers.filter(({ json }) => json.entities[0].created)).toHaveLength(1)
    expect(await values()).toEqual(['Ada', 'Bert'])
  })
})

describe('a link', () => {
  test('joins two entities in the graph, makes ends that are not there yet, and shows its properties', async () => {
    await create(['Ada'])
    const { status, json } = await link([knows('Ada', 'Bert', { since: 2024, confidence: 0.5 })])
    expect(status).toBe(200)
    expect(json.links).toMatchObject([
      { from: { value: 'Ada' }, type: 'knows', to: { value: 'Bert' }, properties: { since: 2024, confidence: 0.5 }, created: true },
    ])
    expect(json.receipt).toMatchObject({ graphWriteSuccess: true, owed: [] })
    const found = await query({ start: { type: 'person', value: 'Ada' } })
    expect(names(found)).toEqual(['Ada', 'Bert'])
    expect(found.edges).toEqual([
      {
        from: json.links[0].from.id,
        to: json.links[0].to.id,
        type: 'RELATES_TO',
        properties: { type: 'knows', since: 2024, confidence: 0.5 },
      },
    ])
  })

  test('that is known takes new properties over its old ones, and is not made again', async () => {
    await link([knows('Ada', 'Bert', { since: 2024, at: 'work' })])
    const { links } = (await link([knows('ada', 'BERT', { since: 2025 }), knows('Ada', 'Bert', { well: true })])).json
    expect(links).toMatchObject(Array(2).fill({ properties: { since: 2025, at: 'work', well: true }, created: false }))
    const [edge] = (await query({ start: { value: 'Ada' } })).edges
    expect(edge.properties).toEqual({ type: 'knows', since: 2025, at: 'work', well: true, confidence: 1 })
  })

  test('and a memory that says the same are one edge; it stays when the memory goes', async () => {
    const said = {
      entities: ['Ada', 'Bert'].map((value) => ({ type: 'person', value })),
      relations: [{ from: 'Ada', type: 'knows', to: 'Bert' }],
    }
    const memory = await tenant.add({ content: 'x', extractEntities: false, ...said, waitFor: 'graph' })
    await link([knows('Ada', 'Bert', { since: 2024 })])
    const edges = async () => (await query({ start: { value: 'Ada' }, via: ['knows'] })).edges
    expect(await edges()).toMatchObject([{ properties: { type: 'knows', since: 2024, confidence: 1 } }])
    await tenant.del(`/v1/memories/${memory.id}?hard=true`)
    for (let i = 0; i < 3; i++) await sweep(here.deps)
    expect(await edges()).toHaveLength(1)
  })

  test('sent twice under one idempotency key is made once; eight at once make one', async () => {
    const headers = { 'idempotency-key': randomUUID() }
    const first = await link([knows('Ada', 'Bert')], {}, { headers })
    const again = await link([knows('Ada', 'Bert')], {}, { headers })
    expect([again.headers.get('idempotency-replayed'), again.json.links]).toEqual(['true', first.json.links])
    const pairs = [knows('Carl', 'Dora'), knows('Dora', 'Carl')]
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => link(i % 2 ? pairs : pairs.toReversed(), { waitFor: 'vector' })))
    expect(all.map(({ status }) => status)).toEqual(Array(8).fill(200))
    expect(all.flatMap(({ json }) => json.links).filter(({ created }) => created)).toHaveLength(2)
  })

  test('never leads from one subject to another', async () => {
    const { status, json } = await link([{ from: person('Ada'), type: 'knows', to: person('Ada', 'user:bob') }])
    expect([status, json.errors.map((e: { path: string }) => e.path)]).toEqual([400, ['links[0].to.subject']])
    await link([knows('Ada', 'Bert'), { from: person('Ada', 'user:bob'), type: 'knows', to: person('Carl', 'user:bob') }])
    expect(names(await query({ start: { value: 'Ada' }, hops: 4, namespacePrefix: subject }))).toEqual(['Ada', 'Bert'])
  })
})

describe('a key', () => {
  test('makes and sees them only where a grant covers the whole subject', async () => {
    await link([knows('Ada', 'Bert')])
    const narrow = await tenant.keyFor(['graph:read', 'graph:write'], ['user:alice:work'])
    expect(await values(narrow)).toEqual([])
    expect((await query({ start: { value: 'Ada' } }, narrow)).nodes).toEqual([])
    expect((await create(['Carl'], {}, { key: narrow })).json.code).toBe('forbidden')
    expect((await link([knows('Ada', 'Carl')], {}, { key: narrow })).json.code).toBe('forbidden')
    const whole = await tenant.keyFor(['graph:read', 'graph:write'], ['user:alice'])
    expect(names(await query({ start: { value: 'Ada' } }, whole))).toEqual(['Ada', 'Bert'])
    expect((await create(['Carl'], {}, { key: whole })).status).toBe(200)
  })

  test('that sees both ends through a memory still does not see a link it has no grant for', async () => {
    const entities = ['Ada', 'Bert'].map((value) => ({ type: 'person', value }))
    await tenant.add({ namespace: 'user:alice:work', content: 'x', extractEntities: false, entities, waitFor: 'graph' })
    await link([knows('Ada', 'Bert')])
    const narrow = await tenant.keyFor(['graph:read'], ['user:alice:work'])
    expect((await query({ start: { value: 'Ada' }, hops: 2 }, narrow)).edges.map((e: { type: string }) => e.type)).toEqual([
      'MENTIONS',
      'MENTIONS',
    ])
  })

  test('needs the scope to write', async () => {
    const reader = await tenant.keyFor(['graph:read', 'memories:write'], ['*'])
    expect((await create(['Carl'], {}, { key: reader })).json.code).toBe('forbidden')
    expect((await link([knows('Ada', 'Carl')], {}, { key: reader })).json.code).toBe('forbidden')
  })
})

test('while the graph is down they are made all the same, and shown when it is back', async () => {
  const { status, json } = await here.withGraph('down', () => link([knows('Ada', 'Bert')]))
  expect([status, json.receipt.stores.graph.state]).toEqual([200, 'owed'])
  for (let i = 0; i < 3; i++) await sweep(here.deps)
  expect(names(await query({ start: { value: 'Ada' } }))).toEqual(['Ada', 'Bert'])
})

const ada = person('Ada')
test.each<[string, unknown, string]>([
  ['entities', {}, 'entities'],
  ['entities', { entities: [] }, 'entities'],
  ['entities', { entities: Array(201).fill(ada) }, 'entities'],
  ['entities', { entities: [{ type: 'person', value: 'Ada' }] }, 'entities[0].subject'],
  ['entities', { entities: [{ ...ada, subject: 'user' }] }, 'entities[0].subject'],
  ['entities', { entities: [{ ...ada, subject: 'user:alice:work' }] }, 'entities[0].subject'],
  [
    'entities',
    {
      entities: [
        { ...ada, subject: 'user:%' },
        { ...ada, type: 'Person' },
      ],
    },
    'entities[1].type',
  ],
  ['entities', { entities: [{ ...ada, value: ' ' }] }, 'entities[0].value'],
  ['entities', { entities: [{ ...ada, value: 'x\0' }] }, 'entities[0].value'],
  ['entities', { entities: [{ ...ada, value: 'x'.repeat(501) }] }, 'entities[0].value'],
  ['entities', { entities: [{ ...ada, id: randomUUID() }] }, 'entities[0].id'],
  ['entities', { entities: [ada], waitFor: 'queue' }, 'waitFor'],
  ['links', {}, 'links'],
  ['links', { links: [] }, 'links'],
  ['links', { links: [{ from: ada, to: person('Bert') }] }, 'links[0].type'],
  ['links', { links: [{ from: ada, type: 'knows' }] }, 'links[0].to'],
  ['links', { links: [{ from: 'Ada', type: 'knows', to: person('Bert') }] }, 'links[0].from'],
  ['links', { links: [knows('Ada', 'ADA')] }, 'links[0].to'],
  ['links', { links: [{ ...knows('Ada', 'Bert'), type: '' }] }, 'links[0].type'],
  ['links', { links: [{ ...knows('Ada', 'Bert'), type: 'x'.repeat(101) }] }, 'links[0].type'],
  ['links', { links: [knows('Ada', 'Bert', { confidence: 2 })] }, 'links[0].properties.confidence'],
  ['links', { links: [knows('Ada', 'Bert', { type: 'loves' })] }, 'links[0].properties.type'],
  ['links', { links: [{ ...knows('Ada', 'Bert'), weight: 1 }] }, 'links[0].weight'],
])('%s with %j is refused by name, and nothing is stored', async (noun, body, path) => {
  const { status, json, text } = await tenant.post(`/v1/graph/${noun}`, body)
  expect([status, [...new Set(json.errors.map((e: { path: string }) => e.path))]]).toEqual([400, [path]])
  expect(text).not.toMatch(/select |insert |SQLSTATE|twofold\./)
  expect(await values()).toEqual([])
})

test('hostile words are words: in a name, in the type of a link and in its properties', async () => {
  const hostile = `'; drop table twofold.links; -- $1 \`MATCH (n) DETACH DELETE n\` \\ "🎉`
  const { json } = await link([{ from: person(hostile), type: hostile, to: person('Bert'), properties: { [hostile]: hostile } }])
  expect(json.links[0]).toMatchObject({ from: { value: hostile }, type: hostile, properties: { [hostile]: hostile } })
  expect(names(await query({ start: { value: hostile }, via: [hostile] }))).toEqual([hostile, 'Bert'].sort())
})
