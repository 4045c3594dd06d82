import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sweep, type Tenant, type World, world } from '../fixture.ts'

/** What the reference memory server promises of its nine tools, asked of ours by a client that knows nothing of this house. */

let here: World
let tenant: Tenant
let client: Client
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
  client = await connect()
})

async function connect({ key = tenant.key, query = '' } = {}): Promise<Client> {
  const made = new Client({ name: 'test', version: '1' })
  const transport = new StreamableHTTPClientTransport(new URL(`http://localhost/mcp${query}`), {
    fetch: here.fetch,
    requestInit: { headers: { authorization: `Bearer ${key}` } },
  })
  await made.connect(transport)
  return made
}

interface Graph {
  entities: { name: string; entityType: string; observations: string[] }[]
  relations: { from: string; to: string; relationType: string }[]
}

const tool =
  <T>(name: string) =>
  async (args: Record<string, unknown> = {}, as = client): Promise<T> => {
    const { isError, structuredContent, content } = await as.callTool({ name, arguments: args })
    if (isError) throw new Error((content[0] as { text: string }).text)
    return structuredContent as T
  }
const createEntities = async (entities: unknown[], as?: Client) => (await tool<Graph>('create_entities')({ entities }, as)).entities
const createRelations = async (relations: unknown[]) => (await tool<Graph>('create_relations')({ relations })).relations
const addObservations = async (observations: unknown[]) =>
  (await tool<{ results: { entityName: string; addedObservations: string[] }[] }>('add_observations')({ observations })).results
const deleteEntities = (entityNames: string[]) => tool('delete_entities')({ entityNames })
const deleteObservations = (deletions: unknown[]) => tool('delete_observations')({ deletions })
const deleteRelations = (relations: unknown[]) => tool('delete_relations')({ relations })
const readGraph = (as?: Client) => tool<Graph>('read_graph')({}, as)
const searchNodes = (query: string) => tool<Graph>('search_nodes')({ query })
const openNodes = (names: string[]) => tool<Graph>('open_nodes')({ names })

const person = (name: string, ...observations: string[]) => ({ name, entityType: 'person', observations })
const relation = (from: string, relationType: string, to: string) => ({ from, to, relationType })
const names = ({ entities }: Graph) => entities.map(({ name }) => name)
const of = (graph: Graph, name: string) => graph.entities.find((entity) => entity.name === name)

describe('create_entities', () => {
  test('makes new ones and answers them', async () => {
    const entities = [person('Alice', 'works at Acme Corp'), person('Bob', 'likes programming')]
    expect(await createEntities(entities)).toEqual(entities)
    expect((await readGraph()).entities).toEqual(entities)
  })

  test('passes over names that there are, and what is said of them', async () => {
    await createEntities([person('Alice', 'works at Acme Corp')])
    expect(await createEntities([person('Alice', 'works at Acme Corp')])).toEqual([])
    expect(await createEntities([person('alice', 'something else'), person('Bob')])).toEqual([person('Bob')])
    expect((await readGraph()).entities).toEqual([person('Alice', 'works at Acme Corp'), person('Bob')])
  })

  test('takes none', async () => {
    expect(await createEntities([])).toEqual([])
  })

  test('asked by many at once makes each once', async () => {
    await Promise.all(Array.from({ length: 5 }, () => createEntities([person('Alice', 'likes coffee', 'likes coffee'), person('Bob')])))
    expect((await readGraph()).entities.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
      person('Alice', 'likes coffee'),
      person('Bob'),
    ])
  })

  test('keeps its types as types are written here', async () => {
    const made = await createEntities([
      { name: 'Apollo', entityType: 'Software Project', observations: [] },
      { name: 'Ähre', entityType: 'Café', observations: [] },
      { name: '東京', entityType: '都市', observations: [] },
    ])
    expect(made.map(({ entityType }) => entityType)).toEqual(['software_project', 'cafe', 'other'])
    expect(names(await searchNodes('software project'))).toEqual(['Apollo'])
  })

  test('says what is wrong, by its place', async () => {
    const refused = async (args: object) => JSON.parse(((await tool('create_entities')(args as never).catch((e) => e)) as Error).message)
    expect(await refused({ entities: [{ name: 'A', observations: [] }] })).toMatchObject({
      code: 'invalid',
      errors: [{ path: 'entities[0].entityType', message: 'is required' }],
    })
    expect(
      (
        await refused({
          entities: [
            person('A', ...Array.from({ length: 300 }, (_, i) => `${i}`)),
            person('B', ...Array.from({ length: 300 }, (_, i) => `${i}`)),
          ],
        })
      ).errors[0].path,
    ).toBe('entities')
    expect((await refused({ entities: [person(' ')] })).errors[0].path).toBe('entities[0].name')
  })
})

describe('create_relations', () => {
  beforeEach(() => createEntities([person('Alice'), person('Bob')]))

  test('makes new ones and answers them', async () => {
    const relations = [relation('Alice', 'knows', 'Bob')]
    expect(await createRelations(relations)).toEqual(relations)
    expect((await readGraph()).relations).toEqual(relations)
  })

  test('passes over those that there are', async () => {
    await createRelations([relation('Alice', 'knows', 'Bob')])
    expect(await createRelations([relation('Alice', 'knows', 'Bob'), relation('alice', 'knows', 'BOB')])).toEqual([])
    expect((await readGraph()).relations).toHaveLength(1)
  })

  test('takes none, and ends that nobody made yet', async () => {
    expect(await createRelations([])).toEqual([])
    expect(await createRelations([relation('Alice', 'works_at', 'Acme')])).toHaveLength(1)
    expect(of(await readGraph(), 'Acme')).toEqual({ name: 'Acme', entityType: 'other', observations: [] })
  })
})

describe('add_observations', () => {
  test('adds to what is there', async () => {
    await createEntities([person('Alice', 'works at Acme Corp')])
    expect(await addObservations([{ entityName: 'Alice', contents: ['likes coffee', 'has a dog'] }])).toEqual([
      { entityName: 'Alice', addedObservations: ['likes coffee', 'has a dog'] },
    ])
    expect(of(await readGraph(), 'Alice')?.observations).toEqual(['works at Acme Corp', 'likes coffee', 'has a dog'])
  })

  test('adds nothing twice, also not when it is asked again by many at once', async () => {
    await createEntities([person('Alice', 'works at Acme Corp')])
    await addObservations([{ entityName: 'Alice', contents: ['likes coffee'] }])
    expect((await addObservations([{ entityName: 'Alice', contents: ['likes coffee', 'has a dog'] }]))[0]?.addedObservations).toEqual([
      'has a dog',
    ])
    await Promise.all(Array.from({ length: 5 }, () => addObservations([{ entityName: 'Alice', contents: ['sings'] }])))
    expect(of(await readGraph(), 'Alice')?.observations).toEqual(['works at Acme Corp', 'likes coffee', 'has a dog', 'sings'])
  })

  test('refuses a name that nobody has, and stores nothing then', async () => {
    await createEntities([person('Alice')])
    const both = [
      { entityName: 'Alice', contents: ['x'] },
      { entityName: 'NonExistent', contents: ['some observation'] },
    ]
    await expect(addObservations(both)).rejects.toThrow('Entity with name NonExistent not found')
    expect(of(await readGraph(), 'Alice')?.observations).toEqual([])
  })
})

describe('delete_entities', () => {
  test('deletes them', async () => {
    await createEntities([person('Alice', 'sings'), person('Bob')])
    expect(await deleteEntities(['Alice'])).toEqual({ success: true, message: 'Entities deleted successfully' })
    expect((await readGraph()).entities).toEqual([person('Bob')])
  })

  test('takes their relations along', async () => {
    await createEntities([person('Alice'), person('Bob'), person('Charlie')])
    await createRelations([relation('Alice', 'knows', 'Bob'), relation('Bob', 'knows', 'Charlie')])
    await deleteEntities(['Bob'])
    expect(await readGraph()).toEqual({ entities: [person('Alice'), person('Charlie')], relations: [] })
  })

  test('passes over names that nobody has, and what was deleted can be made anew', async () => {
    await deleteEntities(['NonExistent'])
    expect(await readGraph()).toEqual({ entities: [], relations: [] })
    await createEntities([person('Alice', 'sings')])
    await deleteEntities(['Alice'])
    expect(await createEntities([person('Alice', 'sings')])).toEqual([person('Alice', 'sings')])
    expect((await readGraph()).entities).toEqual([person('Alice', 'sings')])
  })
})

describe('delete_observations', () => {
  test('deletes what is named and nothing else', async () => {
    await createEntities([person('Alice', 'works at Acme Corp', 'likes coffee')])
    await deleteObservations([{ entityName: 'Alice', observations: ['likes coffee'] }])
    expect(of(await readGraph(), 'Alice')?.observations).toEqual(['works at Acme Corp'])
    expect((await addObservations([{ entityName: 'Alice', contents: ['likes coffee'] }]))[0]?.addedObservations).toEqual(['likes coffee'])
  })

  test('passes over what there is not', async () => {
    expect(await deleteObservations([{ entityName: 'NonExistent', observations: ['some observation'] }])).toEqual({
      success: true,
      message: 'Observations deleted successfully',
    })
    expect((await readGraph()).entities).toEqual([])
  })
})

describe('delete_relations', () => {
  test('deletes what is named and nothing else', async () => {
    await createEntities([person('Alice'), person('Bob')])
    await createRelations([relation('Alice', 'knows', 'Bob'), relation('Alice', 'works_with', 'Bob')])
    expect(await deleteRelations([relation('Alice', 'knows', 'Bob'), relation('Bob', 'knows', 'Nobody')])).toMatchObject({ success: true })
    expect((await readGraph()).relations).toEqual([relation('Alice', 'works_with', 'Bob')])
  })
})

describe('read_graph', () => {
  test('answers nothing where nothing is', async () => {
    expect(await readGraph()).toEqual({ entities: [], relations: [] })
  })

  test('answers everything, a relation of one to itself too, and names no field of its own', async () => {
    await createEntities([person('Alice', 'works at Acme Corp')])
    await createRelations([relation('Alice', 'self', 'Alice')])
    expect(await readGraph()).toEqual({
      entities: [person('Alice', 'works at Acme Corp')],
      relations: [relation('Alice', 'self', 'Alice')],
    })
  })

  test('is there for the next connection, and as text in the form of the reference', async () => {
    await createEntities([person('Alice', 'persistent data')])
    expect(names(await readGraph(await connect()))).toEqual(['Alice'])
    const told = async (name: string, args: Record<string, unknown>) =>
      ((await client.callTool({ name, arguments: args })).content[0] as { text: string }).text
    expect(JSON.parse(await told('read_graph', {}))).toEqual(await readGraph())
    expect(JSON.parse(await told('create_entities', { entities: [person('Bob')] }))).toEqual([person('Bob')])
    expect(await told('delete_entities', { entityNames: ['Bob'] })).toBe('Entities deleted successfully')
  })
})

describe('search_nodes', () => {
  beforeEach(async () => {
    await createEntities([
      person('Alice', 'works at Acme Corp', 'likes programming'),
      person('Bob', 'works at TechCo'),
      { name: 'Acme Corp', entityType: 'company', observations: ['tech company'] },
    ])
    await createRelations([relation('Alice', 'works_at', 'Acme Corp'), relation('Bob', 'competitor', 'Acme Corp')])
  })

  test.each([
    ['a name', 'Alice', ['Alice']],
    ['a type', 'company', ['Acme Corp']],
    ['an observation', 'programming', ['Alice']],
    ['another case', 'ALICE', ['Alice']],
    ['what nobody is', 'NonExistent', []],
    ['what a pattern would match', '%', []],
    ['nothing', '', ['Alice', 'Bob', 'Acme Corp']],
  ])('finds by %s', async (_, query, found) => {
    expect(names(await searchNodes(query))).toEqual(found)
  })

  test('answers relations of which one end was found', async () => {
    const acme = await searchNodes('Acme')
    expect([names(acme), acme.relations.length]).toEqual([['Alice', 'Acme Corp'], 2])
    expect((await searchNodes('Alice')).relations).toEqual([relation('Alice', 'works_at', 'Acme Corp')])
    expect((await searchNodes('NonExistent')).relations).toEqual([])
  })
})

describe('open_nodes', () => {
  beforeEach(async () => {
    await createEntities([person('Alice'), person('Bob'), person('Charlie')])
    await createRelations([relation('Alice', 'knows', 'Bob'), relation('Bob', 'knows', 'Charlie')])
  })
  const [ab, bc] = [relation('Alice', 'knows', 'Bob'), relation('Bob', 'knows', 'Charlie')]

  test.each([
    [
      ['Alice', 'Bob'],
      ['Alice', 'Bob'],
      [ab, bc],
    ],
    [['Bob'], ['Bob'], [ab, bc]],
    [['Alice'], ['Alice'], [ab]],
    [['Charlie'], ['Charlie'], [bc]],
    [['NonExistent'], [], []],
    [[], [], []],
  ])('%j answers them with every relation they have', async (wanted, found, relations) => {
    const graph = await openNodes(wanted)
    expect([names(graph), graph.relations]).toEqual([found, relations])
  })
})

describe('beside what else is kept', () => {
  test('an observation is a memory about its entity, and a memory that mentions an entity is an observation', async () => {
    await createEntities([person('Alice', 'likes coffee')])
    const { json } = await tenant.get('/v1/memories?namespace=app:mcp')
    expect(json.items).toMatchObject([
      {
        content: 'likes coffee',
        kind: 'observation',
        entities: [{ type: 'person', value: 'Alice', about: true }],
        key: expect.stringMatching(/^observation:/),
      },
    ])
    const said = {
      namespace: 'app:mcp',
      content: 'Alice met Dora in Rome',
      extractEntities: false,
      entities: [
        { type: 'person', value: 'Alice' },
        { type: 'person', value: 'Dora' },
      ],
      relations: [{ from: 'Alice', type: 'met', to: 'Dora' }],
    }
    await tenant.add(said)
    expect(await readGraph()).toEqual({
      entities: [person('Alice', 'likes coffee', said.content), person('Dora', said.content)],
      relations: [relation('Alice', 'met', 'Dora')],
    })
    await addObservations([{ entityName: 'Dora', contents: [said.content, 'paints'] }])
    expect(of(await readGraph(), 'Dora')?.observations).toEqual([said.content, 'paints'])
  })

  test('what is shared is taken from one and stays with the other', async () => {
    const entities = ['Alice', 'Dora'].map((value) => ({ type: 'person', value }))
    const relations = [{ from: 'Alice', type: 'met', to: 'Dora' }]
    const both = { namespace: 'app:mcp', content: 'They met', extractEntities: false, entities, relations }
    const { id } = await tenant.add(both)
    await createEntities([person('Alice'), person('Dora')])
    await deleteRelations([relation('Alice', 'met', 'Dora')])
    expect((await readGraph()).relations).toEqual([])
    await deleteObservations([{ entityName: 'Alice', observations: ['They met'] }])
    expect((await readGraph()).entities).toEqual([person('Alice'), person('Dora', 'They met')])
    await deleteEntities(['Dora'])
    expect((await readGraph()).entities).toEqual([person('Alice')])
    expect((await tenant.get(`/v1/memories/${id}`)).json.code).toBe('not_found')
    expect((await tenant.post(`/v1/memories/${id}/restore`)).json.memory.content).toBe('They met')
  })

  test('two that are one are known by either name, and deleted by either', async () => {
    await createEntities([person('Robert', 'sings'), person('Bob', 'paints'), person('Dora')])
    await createRelations([relation('Bob', 'knows', 'Dora')])
    const both = ['Bob', 'Dora'].map((value) => ({ type: 'person', value }))
    const said = { content: 'Bob met Dora', entities: both, relations: [{ from: 'Bob', type: 'met', to: 'Dora' }], extractEntities: false }
    await tenant.add({ namespace: 'app:mcp', ...said })
    const idOf = async (name: string) => (await tenant.get(`/v1/graph/entities?q=${name}&subject=app:mcp`)).json.items[0].id
    const merged = await tenant.post(`/v1/graph/entities/${await idOf('Bob')}/merge`, { into: await idOf('Robert') })
    expect(merged.status).toBe(200)
    const robert = person('Robert', 'sings', 'paints', 'Bob met Dora')
    expect((await openNodes(['Bob'])).entities).toEqual([robert])
    expect((await searchNodes('bob')).entities).toEqual([robert, person('Dora', 'Bob met Dora')])
    expect((await readGraph()).relations.toSorted((a, b) => (a.relationType < b.relationType ? -1 : 1))).toEqual([
      relation('Robert', 'knows', 'Dora'),
      relation('Robert', 'met', 'Dora'),
    ])
    expect(await createEntities([person('Bob')])).toEqual([])
    await deleteRelations([relation('Robert', 'met', 'Dora')])
    expect((await readGraph()).relations).toEqual([relation('Robert', 'knows', 'Dora')])
    await deleteEntities(['Bob'])
    expect(await readGraph()).toEqual({ entities: [person('Dora', 'Bob met Dora')], relations: [] })
    for (let i = 0; i < 3; i++) await sweep(here.deps)
    expect((await tenant.get('/v1/graph/entities?subject=app:mcp')).json.items.map((each: any) => each.value)).toEqual(['Dora'])
  })

  test('one namespace knows nothing of another, nor one tenant, and a key reaches as far as it is granted', async () => {
    await createEntities([person('Alice', 'secret of the app')])
    const carol = await connect({ query: '?namespace=user:carol' })
    await createEntities([person('Alice', 'her own')], carol)
    expect((await readGraph(carol)).entities).toEqual([person('Alice', 'her own')])
    expect((await readGraph()).entities).toEqual([person('Alice', 'secret of the app')])
    expect((await readGraph(await connect({ key: (await here.tenant()).key }))).entities).toEqual([])
    const granted = await connect({ key: await tenant.keyFor(['memories:read', 'memories:write', 'graph:write'], ['user:carol']) })
    expect((await readGraph(granted)).entities).toEqual([person('Alice', 'her own')])
    const halved = await connect({ key: await tenant.keyFor(['memories:read', 'graph:write'], ['user:carol']) })
    await expect(createEntities([person('Eve', 'x')], halved)).rejects.toThrow('memories:write')
    expect(names(await readGraph(granted))).toEqual(['Alice'])
    await expect(tool('read_graph')({ namespace: 'app:mcp' }, granted)).rejects.toThrow('forbidden')
  })
})

test('the graph shows what each tool has changed, and the two stores agree', { timeout: 240_000 }, async () => {
  const shown = async () => {
    for (let i = 0; i < 3; i++) await sweep(here.deps)
    const { json } = await tenant.post('/api/persistence/sync', { operation: 'check', deep: true })
    expect([json.done, json.result.inconsistencies, json.result.owed]).toEqual([true, [], 0])
    const { entities, memories, edges } = await here.deps.graph.counts(tenant.id, { generations: [1] })
    return { entities, memories, edges }
  }
  await createEntities([person('Alice', 'sings'), person('Bob')])
  expect(await shown()).toEqual({ entities: 2, memories: 1, edges: 2 })
  await addObservations([{ entityName: 'Bob', contents: ['paints'] }])
  expect(await shown()).toEqual({ entities: 2, memories: 2, edges: 4 })
  await createRelations([relation('Alice', 'knows', 'Bob')])
  expect(await shown()).toEqual({ entities: 2, memories: 2, edges: 5 })
  const all = { entities: [person('Alice', 'sings'), person('Bob', 'paints')], relations: [relation('Alice', 'knows', 'Bob')] }
  expect([await readGraph(), await openNodes(['Alice', 'Bob']), await searchNodes('')]).toEqual([all, all, all])
  await deleteObservations([{ entityName: 'Bob', observations: ['paints'] }])
  expect(await shown()).toEqual({ entities: 2, memories: 1, edges: 3 })
  await deleteRelations([relation('Alice', 'knows', 'Bob')])
  expect(await shown()).toEqual({ entities: 2, memories: 1, edges: 2 })
  await createRelations([relation('Alice', 'knows', 'Bob')])
  await deleteEntities(['Alice'])
  expect(await shown()).toEqual({ entities: 1, memories: 0, edges: 0 })
})
