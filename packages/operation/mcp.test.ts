import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { describe, expect, test } from 'vitest'
import * as z from 'zod-own'
import { serve } from './http.ts'
import { mcp } from './mcp.ts'
import { desk, get, KEY, list, notes } from './notes.fixture.ts'
import { Refusal } from './refusal.ts'

type Options = { query?: string; era?: 'older' | 'newer'; scopes?: string[]; namespace?: string | null; headers?: Record<string, string> }

/** The notes offered to models, and an official client that asks for them. */
async function offered({ query = '', era = 'older', scopes = ['admin'], namespace = null, headers = KEY }: Options = {}) {
  const around = desk()
  const endpoint = mcp(
    {
      server: { name: 'notes', title: 'Notes', version: '1.0.0' },
      instructions: 'Keep notes.',
      operations: notes as never[],
      resources: [
        { uri: 'notes://all', name: 'Notes', description: 'All of them.', operation: list as never, input: () => ({}) },
        {
          uri: 'notes://{id}',
          name: 'Note',
          description: 'One note.',
          operation: get as never,
          input: ({ id }) => ({ id }),
          among: { operation: list as never, variables: (n: number) => ({ id: String(n) }) },
        },
      ],
      namespace: z.string().max(20),
      async introduce(_, caller, named) {
        if (caller.keyHash.toString('hex').startsWith('00')) throw new Refusal('unauthenticated', 'Nobody.')
        return { scopes, namespace: named ?? namespace }
      },
    },
    around.around as never,
  )
  const app = serve([], around.around as never, { '/mcp': endpoint })
  const ask = (init: RequestInit, more = '') => app.request(`http://localhost/mcp${query}${more}`, init)
  const client = new Client({ name: 'test', version: '1' }, era === 'newer' ? { versionNegotiation: { mode: 'auto' } } : {})
  const transport = new StreamableHTTPClientTransport(new URL(`http://localhost/mcp${query}`), {
    fetch: async (input, init) => app.request(String(input), init),
    requestInit: { headers },
  })
  return { ...around, ask, client, connect: () => client.connect(transport) }
}

const connected = async (options?: Options) => {
  const all = await offered(options)
  await all.connect()
  return all
}

const textOf = (result: any): any => JSON.parse(result.content[0].text)

describe.each(['older', 'newer'] as const)('a client of the %s sort', (era) => {
  test('is told what this is and what it may do, from the declarations', async () => {
    const { client } = await connected({ era })
    expect([client.getServerVersion()?.name, client.getInstructions(), client.getProtocolEra()]).toEqual([
      'notes',
      'Keep notes.',
      era === 'older' ? 'legacy' : 'modern',
    ])
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(['get_note', 'add_note', 'list_notes', 'update_note', 'delete_note', 'search_notes'])
    const hints = Object.fromEntries(tools.map(({ name, annotations }) => [name, annotations]))
    const none = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false }
    expect(hints).toMatchObject({
      get_note: { ...none, readOnlyHint: true, idempotentHint: true },
      add_note: none,
      update_note: none,
      delete_note: { ...none, destructiveHint: true, idempotentHint: true },
      search_notes: { readOnlyHint: true },
    })
    expect(tools.find(({ name }) => name === 'update_note')).toMatchObject({
      title: 'Update note',
      description: 'Change a note.',
      inputSchema: {
        type: 'object',
        properties: { id: { type: 'string' }, dryRun: { type: 'boolean' }, content: { type: 'string' } },
        required: ['id', 'content'],
      },
      outputSchema: { type: 'object', properties: { note: { $ref: '#/$defs/Note' } }, $defs: { Note: { type: 'object' } } },
    })
    expect(tools.find(({ name }) => name === 'search_notes')?.inputSchema).toMatchObject({
      properties: { filter: { $ref: '#/$defs/Filter' } },
    })
    await client.close()
  })

  test('is answered in structure and in words, and what it asked is seen as a request of its own', async () => {
    const { client, here, observed } = await connected({ era })
    const answer = await client.callTool({ name: 'get_note', arguments: { id: 'a', version: 3 } })
    expect(answer.structuredContent).toEqual({ note: { id: 'a', content: 'x', version: 3 } })
    expect(textOf(answer)).toEqual(answer.structuredContent)
    expect(here.seen.at(-1)?.input).toEqual({ id: 'a', version: 3, deep: false })
    expect(observed.at(-1)).toMatchObject({ operation: 'notes.get', status: 200, requestId: expect.stringMatching(/./) })
  })

  test('is told what it did wrong, field by field, and never a stack', async () => {
    const { client, here } = await connected({ era })
    const wrong = await client.callTool({ name: 'add_note', arguments: { tags: [1], strange: true } })
    expect(wrong.isError).toBe(true)
    expect(textOf(wrong)).toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('content: is required'),
      errors: expect.arrayContaining([
        { path: 'content', message: 'is required' },
        { path: 'strange', message: 'is not a known field' },
        { path: 'tags[0]', message: expect.any(String) },
      ]),
    })
    expect(textOf(await client.callTool({ name: 'add_note', arguments: { content: 'a\u0000b' } })).errors[0].path).toBe('content')
    here.fail = new Error('secret of the house')
    const broken = await client.callTool({ name: 'get_note', arguments: { id: 'a' } })
    expect([broken.isError, textOf(broken).code, JSON.stringify(broken)]).toEqual([
      true,
      'internal',
      expect.not.stringMatching(/secret|\.ts:/),
    ])
    here.fail = new RangeError('away')
    expect(textOf(await client.callTool({ name: 'get_note', arguments: { id: 'a' } }))).toMatchObject({
      code: 'unavailable',
      retryAfterMs: 2500,
    })
    await expect(client.callTool({ name: 'no_tool', arguments: {} })).rejects.toThrow('no_tool')
  })

  test('lists resources page by page and reads them by their address', async () => {
    const { client } = await connected({ era })
    const { resources } = await client.listResources()
    expect([resources.length, resources[0]?.uri, resources[1]?.uri, resources.at(-1)?.uri]).toEqual([
      121,
      'notes://all',
      'notes://0',
      'notes://119',
    ])
    expect((await client.listResourceTemplates()).resourceTemplates).toMatchObject([{ uriTemplate: 'notes://{id}' }])
    const { contents } = await client.readResource({ uri: 'notes://caf%C3%A9' })
    expect(contents).toMatchObject([{ uri: 'notes://caf%C3%A9', mimeType: 'application/json' }])
    expect(JSON.parse((contents[0] as { text: string }).text).note.id).toBe('café')
    for (const uri of ['notes://a/b', 'other://a', 'notes://%ff', 'notes://a!'])
      await expect(client.readResource({ uri })).rejects.toMatchObject({ code: -32602 })
  })

  test('sees only the tools that its key may use', async () => {
    const { client } = await connected({ era, scopes: ['memories:read'] })
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['get_note', 'list_notes', 'search_notes'])
  })
})

test('a connection may ask for some of the tools: every one that is shown to a model costs it attention', async () => {
  const { client, ask } = await connected({ query: '?tools=search_notes,add_note' })
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['add_note', 'search_notes'])
  const refused = await ask({ method: 'POST', headers: { ...KEY, 'content-type': 'application/json' }, body: '{}' }, ',no_tool')
  const { errors } = (await refused.json()) as any
  expect([refused.status, errors]).toEqual([400, [{ path: 'tools', message: expect.stringContaining('get_note,add_note') }]])
})

describe('what makes something', () => {
  test('is marked, so that the same asked again is taken for the same; what reads, changes or deletes is not', async () => {
    const { client, here } = await connected()
    const keys: (string | undefined)[] = []
    const call = async (name: string, args: Record<string, unknown>) => {
      await client.callTool({ name, arguments: args })
      keys.push(here.seen.at(-1)?.caller.idempotency?.key)
    }
    await call('add_note', { content: 'a', count: 2 })
    await call('add_note', { count: 2, content: 'a' })
    await call('add_note', { content: 'b' })
    await call('get_note', { id: 'a' })
    await call('update_note', { id: 'a', content: 'b' })
    await call('delete_note', { id: 'a' })
    await call('search_notes', {})
    expect(keys).toEqual([expect.stringMatching(/^mcp:[\da-f]{64}$/), keys[0], expect.stringMatching(/^mcp:/), ...Array(4).fill(undefined)])
    expect(keys[2]).not.toBe(keys[0])
    expect(here.seen[0]?.caller.idempotency?.retryMs).toBe(60_000)
  })
})

describe('over HTTP', () => {
  const message = (body: unknown = { jsonrpc: '2.0', id: 1, method: 'tools/list' }, headers: Record<string, string> = {}): RequestInit => ({
    method: 'POST',
    headers: { ...KEY, 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

  test('one answer is one JSON document, with the id of its request, and nothing keeps it', async () => {
    const { ask } = await offered()
    const answer = await ask(message(undefined, { 'x-request-id': 'mine-0001' }))
    expect([
      answer.status,
      answer.headers.get('content-type'),
      answer.headers.get('x-request-id'),
      answer.headers.get('cache-control'),
    ]).toEqual([200, 'application/json', 'mine-0001', 'no-store'])
    expect(((await answer.json()) as any).result.tools).toHaveLength(6)
    expect(answer.headers.get('mcp-session-id')).toBeNull()
    expect((await ask(message({ jsonrpc: '2.0', method: 'notifications/initialized' }))).status).toBe(202)
  })

  test('there are no sessions and no streams: GET and DELETE are refused', async () => {
    const { ask } = await offered()
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const refused = await ask({ method, headers: KEY })
      expect([method, refused.status, refused.headers.get('allow')]).toEqual([method, 405, 'POST'])
    }
  })

  test('no key, a bad namespace, a page of somebody else, and what is no message are refused before anything is asked', async () => {
    const { ask, here } = await offered()
    const refused = async (init: RequestInit, more = '') => {
      const answer = await ask(init, more)
      return [answer.status, ((await answer.json()) as any).code]
    }
    const nobody = await ask(message(undefined, { authorization: '' }))
    expect([nobody.status, nobody.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect(await refused(message(), `?namespace=${'x'.repeat(21)}`)).toEqual([400, 'invalid'])
    expect(await refused(message(undefined, { origin: 'https://evil.example' }))).toEqual([403, 'forbidden'])
    expect(await refused(message('nonsense'))).toEqual([400, 'invalid'])
    expect(await refused({ ...message(), body: undefined })).toEqual([400, 'invalid'])
    expect(await refused(message(undefined, { 'content-type': 'text/plain' }))).toEqual([415, 'unsupported_media_type'])
    expect(await refused(message(`"${'x'.repeat(4 * 1024 * 1024 + 70_000)}"`))).toEqual([413, 'too_large'])
    expect((await ask(message(undefined, { origin: 'http://localhost' }))).status).toBe(200)
    expect((await ask(message(undefined, { origin: 'vscode-file://app' }))).status).toBe(200)
    expect(here.seen).toEqual([])
  })

  test('arguments larger than the operation takes are refused to the model', async () => {
    const { client, here } = await connected()
    const tooMuch = await client.callTool({ name: 'search_notes', arguments: { query: 'x'.repeat(70_000) } })
    expect(textOf(tooMuch)).toMatchObject({ code: 'too_large', maxBytes: 1000 })
    expect(here.seen).toEqual([])
  })
})
