import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Tenant, type World, world } from './fixture.ts'
import { handler } from './mcp.ts'
import { operations } from './operations.ts'

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

const call = async (name: string, args: Record<string, unknown> = {}, as = client) => {
  const { isError, structuredContent, content } = await as.callTool({ name, arguments: args })
  const text = (content[0] as { text: string }).text
  return { isError: isError === true, json: (structuredContent ?? JSON.parse(text)) as any, text }
}

/** The contract: which tool does the same as which route. There may be more. */
const CONTRACT: Record<string, string> = {
  'post /v1/memories': 'add_memory',
  'post /v1/memories/batch': 'add_memories',
  'post /v1/memories/from-messages': 'add_messages',
  'get /v1/memories/{id}': 'get_memory',
  'get /v1/memories': 'get_memories',
  'patch /v1/memories/{id}': 'update_memory',
  'delete /v1/memories/{id}': 'delete_memory',
  'post /v1/memories/delete': 'delete_all_memories',
  'post /v1/memories/{id}/restore': 'restore_memory',
  'get /v1/memories/{id}/history': 'get_memory_history',
  'post /v1/memories/search': 'search_memories',
  'post /v1/memories/recall': 'recall',
  'post /v1/memories/context': 'get_context',
  'put /v1/namespaces/{namespace}/keys/{key}': 'put_key',
  'get /v1/namespaces/{namespace}/keys/{key}': 'get_key',
  'delete /v1/namespaces/{namespace}/keys/{key}': 'delete_key',
  'get /v1/namespaces': 'list_namespaces',
  'post /v1/sessions': 'start_session',
  'get /v1/sessions/{id}': 'get_session',
  'get /v1/sessions': 'list_sessions',
  'post /v1/sessions/{id}/events': 'append_event',
  'patch /v1/sessions/{id}': 'update_session_status',
  'post /v1/sessions/{id}/terminate': 'end_session',
  'post /v1/conversations/{id}/turns': 'add_to_memory',
  'get /v1/conversations/{id}/context': 'get_conversation_context',
  'delete /v1/conversations/{id}': 'clear_memory',
  'post /v1/graph/query': 'query_graph',
  'get /v1/graph/entities/{id}/context': 'get_entity_context',
  'get /v1/graph/entities/{id}/related': 'find_related',
  'post /v1/decisions': 'record_decision',
  'get /v1/decisions': 'get_decisions',
  'post /v1/commitments': 'create_commitment',
  'get /v1/commitments': 'get_commitments',
  'post /v1/commitments/{id}/complete': 'complete_commitment',
  'post /v1/patterns': 'record_pattern',
  'get /v1/patterns': 'get_patterns',
}

const KNOWLEDGE = [
  ...['create_entities', 'create_relations', 'add_observations', 'delete_entities', 'delete_observations', 'delete_relations'],
  ...['read_graph', 'search_nodes', 'open_nodes'],
]

describe('the tools', () => {
  test('are those of the contract, each beside its route, and the nine of the reference memory server', async () => {
    const routes = operations.map(({ method, path, mcp }) => [`${method} ${path}`, mcp] as const)
    expect(routes.filter(([route, mcp]) => route in CONTRACT && mcp !== CONTRACT[route])).toEqual([])
    const offered = (await client.listTools()).tools.map(({ name }) => name)
    expect(offered.sort()).toEqual([...routes.flatMap(([, mcp]) => mcp ?? []), ...KNOWLEDGE].sort())
  })

  test('warn of what takes something away, and say what they answer', async () => {
    const { tools } = await client.listTools()
    const where = (hint: 'destructiveHint' | 'readOnlyHint') =>
      tools.filter(({ annotations }) => annotations?.[hint]).map(({ name }) => name)
    expect(where('destructiveHint').filter((name) => !/^(delete|clear)_/.test(name))).toEqual([])
    expect(where('destructiveHint')).toEqual(expect.arrayContaining(['delete_memory', 'delete_entities']))
    expect(where('readOnlyHint').filter((name) => !/^(get|list|search|find|open|read|query|recall)/.test(name))).toEqual([])
    expect(tools.filter(({ outputSchema, description }) => !outputSchema || !description)).toEqual([])
    // What one refers to it has with it.
    for (const { name, inputSchema, outputSchema } of tools) {
      for (const schema of [inputSchema, outputSchema] as any[]) {
        const refs = [...JSON.stringify(schema).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref as string)
        expect([name, refs.filter((ref) => !schema.$defs?.[ref.replace('#/$defs/', '')])]).toEqual([name, []])
      }
    }
  })

  test('that a key may not use are not offered, and nothing of another tenant is seen', async () => {
    await call('add_memory', { userId: 'alice', content: 'The launch code is heliotrope', extractEntities: false })
    const reader = await connect({ key: await tenant.keyFor(['memories:read'], ['user:bob']) })
    const { tools } = await reader.listTools()
    expect(tools.some(({ name }) => name === 'search_memories')).toBe(true)
    expect(tools.some(({ name }) => name === 'add_memory')).toBe(false)
    expect((await call('add_memory', { userId: 'bob', content: 'x' }, reader)).json.code).toBe('forbidden')
    const other = await connect({ key: (await here.tenant()).key })
    for (const each of [reader, other]) expect((await call('search_memories', { query: 'launch code' }, each)).json.results).toEqual([])
    await expect(connect({ key: 'tf_unknown' })).rejects.toThrow(/401|nauthorized|key/)
  })
})

describe('a memory', () => {
  test('is added, found, read, changed and deleted', async () => {
    const { json } = await call('add_memory', { userId: 'alice', content: 'The launch code is heliotrope', extractEntities: false })
    const { id } = json.memory
    expect((await call('search_memories', { userId: 'alice', query: 'launch code' })).json.results[0].memory.content).toContain(
      'heliotrope',
    )
    expect((await call('update_memory', { id, content: 'The launch code is mauve' })).json.memory.version).toBe(2)
    expect((await call('get_memory', { id, version: 1 })).json.memory.content).toContain('heliotrope')
    expect((await call('delete_memory', { id })).json).toMatchObject({ deleted: true, hard: false })
    expect(await call('get_memory', { id })).toMatchObject({ isError: true, json: { code: 'not_found' } })
    expect((await call('restore_memory', { id })).json.memory.deletedAt).toBeNull()
    const batch = await call('add_memories', { items: [{ userId: 'alice', content: 'one' }, { content: 'nowhere' }] })
    expect(batch.json.items).toMatchObject([{ ok: true }, { ok: false, error: { code: 'invalid' } }])
  })

  test('that an agent sends again is stored once, for a minute, unless it was deleted meanwhile', async () => {
    const add = async (more: object = {}) =>
      (await call('add_memory', { userId: 'alice', content: 'Tea at five', extractEntities: false, ...more })).json.memory.id
    const first = await add()
    expect(await add()).toBe(first)
    expect(await add({ importance: 7 })).not.toBe(first)
    expect(await add({ userId: 'bob' })).not.toBe(first)
    here.pass(30_000)
    expect(await add()).toBe(first)
    here.pass(60_000)
    const later = await add()
    expect(later).not.toBe(first)
    await call('delete_memory', { id: later })
    const meant = await add()
    expect(meant).not.toBe(later)
    await call('delete_memory', { id: meant, hard: true })
    expect(await add()).not.toBe(meant)
    const batch = async () =>
      (await call('add_memories', { items: [{ userId: 'alice', content: 'both', extractEntities: false }] })).json.items[0].memory.id
    expect(await batch()).toBe(await batch())
  })

  test('of many that send it at once is stored once', async () => {
    const all = await Promise.all(
      Array.from({ length: 6 }, () => call('add_memory', { userId: 'alice', content: 'At once', extractEntities: false })),
    )
    expect(new Set(all.map(({ json }) => json.memory.id)).size).toBe(1)
    expect((await call('get_memories', { userId: 'alice' })).json.items).toHaveLength(1)
  })

  test('changed back and forth within a minute is what it was changed to last', async () => {
    const { id } = (await call('add_memory', { userId: 'alice', content: 'red', extractEntities: false })).json.memory
    for (const content of ['blue', 'red', 'blue']) await call('update_memory', { id, content })
    expect((await call('get_memory', { id })).json.memory.content).toBe('blue')
  })
})

describe('the namespace of the connection', () => {
  test('is where things go and are looked for when the model does not say', async () => {
    const project = await connect({ query: '?namespace=project:apollo' })
    expect((await call('add_memory', { content: 'Lift-off at nine', extractEntities: false }, project)).json.memory.namespace).toBe(
      'project:apollo',
    )
    await call('add_memory', { namespace: 'project:apollo:crew', content: 'Three of them', extractEntities: false }, project)
    expect((await call('add_memory', { userId: 'alice', content: 'Her own', extractEntities: false }, project)).json.memory.namespace).toBe(
      'user:alice',
    )
    const batch = await call(
      'add_memories',
      {
        items: [
          { content: 'a', extractEntities: false },
          { userId: 'alice', content: 'b' },
        ],
      },
      project,
    )
    expect(batch.json.items.map((item: any) => item.memory.namespace)).toEqual(['project:apollo', 'user:alice'])
    const found = await call('get_memories', {}, project)
    expect(found.json.items.map((memory: any) => memory.content)).toEqual(['Lift-off at nine', 'Three of them', 'a'])
    expect((await call('get_memories', { userId: 'alice' }, project)).json.items).toHaveLength(2)
    expect(await call('add_memory', { content: 'Nowhere' })).toMatchObject({ isError: true, json: { errors: [{ path: 'namespace' }] } })
  })

  test('is the only one that the key is granted, and has to be one', async () => {
    const narrow = await connect({ key: await tenant.keyFor(['memories:read', 'memories:write'], ['user:carol']) })
    expect((await call('add_memory', { content: 'Mine', extractEntities: false }, narrow)).json.memory.namespace).toBe('user:carol')
    await expect(connect({ query: '?namespace=nonsense' })).rejects.toThrow('namespace')
    const others = await tenant.keyFor(['memories:write'], ['user:carol', 'user:dave'])
    await expect(connect({ key: others, query: '?namespace=user:eve' })).rejects.toThrow('forbidden')
  })
})

describe('resources', () => {
  test('are what the operations there are can show, by addresses that name them', async () => {
    await call('start_session', { id: 'today-1', appName: 'assistant', userId: 'alice' })
    await call('add_memory', { userId: 'alice', content: 'Tea at five', extractEntities: false })
    const templates = (await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate)
    expect(templates).toEqual(expect.arrayContaining(['twofold://namespaces/{namespace}', 'twofold://sessions/{id}']))
    const read = async (uri: string) => JSON.parse(((await client.readResource({ uri })).contents[0] as { text: string }).text)
    expect((await read('twofold://sessions/today-1')).session.id).toBe('today-1')
    expect((await read('twofold://namespaces/user%3Aalice')).items[0].content).toBe('Tea at five')
    expect(await read('memory://knowledge-graph')).toEqual({ entities: [], relations: [] })
    await expect(client.readResource({ uri: 'twofold://sessions/unknown' })).rejects.toMatchObject({ code: -32602 })
    const has = (name: string) => operations.some((operation) => operation.name === name)
    const listed = (await client.listResources()).resources.map(({ uri }) => uri)
    expect(listed).toEqual([
      ...(has('namespaces.list') ? ['twofold://namespaces'] : []),
      ...(has('sessions.list') ? ['twofold://sessions'] : []),
      'memory://knowledge-graph',
      ...(has('namespaces.list') ? ['twofold://namespaces/user%3Aalice'] : []),
      ...(has('sessions.list') ? ['twofold://sessions/today-1'] : []),
    ])
  })
})

test('an event of API Gateway is answered as a request is', async () => {
  const before = { ...process.env }
  Object.assign(process.env, here.variables)
  try {
    const http = { method: 'POST', path: '/mcp', protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'test' }
    const event = (method: string, body: unknown) =>
      ({
        version: '2.0',
        routeKey: `${method} /mcp`,
        rawPath: '/mcp',
        rawQueryString: 'namespace=user%3Aalice',
        headers: {
          authorization: `Bearer ${tenant.key}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
        },
        body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)).toString('base64'),
        isBase64Encoded: body !== undefined,
        requestContext: { http: { ...http, method }, domainName: 'api.example.org', requestId: 'x', stage: '$default' },
      }) as unknown as APIGatewayProxyEventV2
    const params = { name: 'add_memory', arguments: { content: 'By Lambda', extractEntities: false } }
    const answer: any = await handler(event('POST', { jsonrpc: '2.0', id: 7, method: 'tools/call', params }))
    expect([answer.statusCode, answer.isBase64Encoded]).toEqual([200, false])
    expect(JSON.parse(answer.body)).toMatchObject({ id: 7, result: { structuredContent: { memory: { namespace: 'user:alice' } } } })
    expect(((await handler(event('GET', undefined))) as any).statusCode).toBe(405)
  } finally {
    for (const name of Object.keys(here.variables)) delete process.env[name]
    Object.assign(process.env, before)
  }
})
