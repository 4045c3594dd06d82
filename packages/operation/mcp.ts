import {
  createMcpHandler,
  isLegacyRequest,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'
import * as z from 'zod-own'
import type { Caller } from './caller.ts'
import { type Endpoint, once } from './http.ts'
import { parseJson, storable } from './json.ts'
import { listResources, type Resource, readResource, templatesOf } from './mcp/resources.ts'
import { placed, type Tool, toolsOf } from './mcp/tools.ts'
import { type AnyOperation, MIB, operation } from './operation.ts'
import { type Asker, perform, type Surroundings } from './perform.ts'
import { readBody } from './read-body.ts'
import { invalid, Refusal } from './refusal.ts'

/** Who a connection is. */
const Connection = z.object({
  /** Where things go and are looked for when the model does not say; null: it has to say. */
  namespace: z.string().nullable(),
  scopes: z.array(z.string()),
})

/** What is offered to models, beside the operations' own declarations. */
export interface Offer<D> {
  server: { name: string; title: string; version: string }
  /** For the model: what all this is for. */
  instructions: string
  operations: readonly AnyOperation<D>[]
  resources: readonly Resource<D>[]
  /** Of `?namespace=`. */
  namespace: z.ZodType<string>
  /** Whom the key belongs to, and the namespace of the connection. Refuses `unauthenticated`. */
  introduce(deps: D, caller: Caller, namespace: string | null): Promise<z.infer<typeof Connection>>
}

/** One message, as it came. */
interface Exchange extends z.infer<typeof Connection> {
  asker: Asker
  bytes: number
  /** The tools that the connection asked for; null: all. */
  only: ReadonlySet<string> | null
}

/** The largest request that any operation takes, and what JSON-RPC puts around it. */
const MOST_BYTES = 4 * MIB
const ENVELOPE_BYTES = 64 * 1024

/** An agent that got no answer asks again with the same words. What asks the same within a minute is taken for that. */
const RETRY_MS = 60_000

/**
 * The operations as MCP tools, over Streamable HTTP without sessions: each request carries the key and is answered as a
 * whole, so any process can answer any of them. Clients of 2025 and of 2026 are both served. The tools are laid out by the
 * first request, which takes twenty times as long as all routes, and not every process is asked for them.
 */
export function mcp<D>(offer: Offer<D>, around: Surroundings<D>): Endpoint {
  const endpoint = once(() => laidOut(offer, around))
  return async (request) => (await endpoint())(request)
}

function laidOut<D>(offer: Offer<D>, around: Surroundings<D>): Endpoint {
  const tools = toolsOf(offer.operations)
  const connect = connecting(offer, [...tools.keys()])
  const serverFor = (exchange: Exchange) => serverOf(offer, tools, around, exchange)
  const modern = createMcpHandler(({ authInfo }) => serverFor(authInfo?.extra?.exchange as Exchange), {
    legacy: 'reject',
    maxSubscriptions: 0,
  })

  /** Clients of 2025. Each request has a server of its own, which is what having no sessions means to the SDK. */
  async function serveOlder(request: Request, message: unknown, exchange: Exchange): Promise<Response> {
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
    const server = serverFor(exchange)
    await server.connect(transport)
    try {
      return await transport.handleRequest(request, { parsedBody: message })
    } finally {
      await server.close()
    }
  }

  return async (request) => {
    const { method, headers, signal } = request
    const wanted = new URL(request.url).searchParams
    let message: unknown
    let bytes = 0
    const given = async () => {
      mustBeOwnPage(request)
      const body = await readBody(request, MOST_BYTES + ENVELOPE_BYTES)
      if (!body) throw invalid([{ path: 'body', message: 'must be a message of JSON-RPC' }])
      bytes = body.length
      message = parseJson(body)
      return Object.fromEntries(wanted)
    }
    const connected = await perform(connect, { method, headers, signal, given }, around)
    if (!connected.ok) return connected
    const only = wanted.has('tools') ? new Set(wanted.get('tools')?.split(',')) : null
    const exchange = {
      ...Connection.parse(await connected.json()),
      asker: { method, headers: within(connected, headers), signal },
      bytes,
      only,
    }
    const response = (await isLegacyRequest(request, message))
      ? await serveOlder(request, message, exchange)
      : await modern.fetch(request, { parsedBody: message, authInfo: { token: '', clientId: '', scopes: [], extra: { exchange } } })
    for (const name of ['x-request-id', 'cache-control']) response.headers.set(name, connected.headers.get(name) as string)
    return response
  }
}

/** Before anything else: who this is. For a key seen lately it costs no round trip. */
const connecting = <D>({ namespace, introduce }: Offer<D>, tools: readonly string[]): AnyOperation<D> =>
  operation({
    name: 'mcp.connect',
    method: 'post',
    path: '/mcp',
    scope: null,
    summary: 'Ask by the Model Context Protocol.',
    input: z.strictObject({
      namespace: namespace.optional(),
      tools: z
        .string()
        .refine(
          (names) => names.split(',').every((name) => tools.includes(name)),
          `must be names of tools, with commas: ${tools.join(',')}`,
        )
        .optional(),
    }),
    output: Connection,
    write: false,
    handle: (deps: D, input, caller) => introduce(deps, caller, input.namespace ?? null),
  })

/** The protocol asks for it: a page of somebody else in a browser has no business here. */
function mustBeOwnPage(request: Request): void {
  const origin = request.headers.get('origin') ?? ''
  if (/^https?:/.test(origin) && URL.parse(origin)?.host !== new URL(request.url).host)
    throw new Refusal('forbidden', 'Pages of another origin may not ask here.')
}

/** The headers for what a message asks for: the same request, and no idempotency key, which would be that of all its messages. */
function within(connected: Response, given: Headers): Headers {
  const headers = new Headers(given)
  headers.delete('idempotency-key')
  headers.set('x-request-id', connected.headers.get('x-request-id') as string)
  return headers
}

function serverOf<D>(offer: Offer<D>, tools: ReadonlyMap<string, Tool<D>>, around: Surroundings<D>, exchange: Exchange): Server {
  const { asker, scopes, namespace, only } = exchange
  const may = ({ scope }: AnyOperation<D>) => scope === null || scopes.includes(scope) || scopes.includes('admin')
  const shown = [...tools.values()].filter(({ operation, definition }) => may(operation) && (only?.has(definition.name) ?? true))
  const resources = offer.resources.filter((each) => may(each.operation))
  const server = new Server(offer.server, { capabilities: { tools: {}, resources: {} }, instructions: offer.instructions })
  // A tool that the key may not use would only be tried in vain.
  server.setRequestHandler('tools/list', () => ({ tools: shown.map((tool) => tool.definition) }))
  server.setRequestHandler('tools/call', ({ params }) => {
    const tool = tools.get(params.name)
    if (!tool) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `There is no tool called ${params.name.slice(0, 100)}.`)
    return call(tool, params.arguments ?? {}, exchange, around)
  })
  server.setRequestHandler('resources/list', ({ params }) => listResources(resources, asker, around, params?.cursor))
  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: templatesOf(resources) }))
  server.setRequestHandler('resources/read', async ({ params: { uri } }) => {
    const response = await readResource(resources, { uri, namespace }, asker, around)
    if (response?.ok) return { contents: [{ uri, mimeType: 'application/json', text: await response.text() }] }
    const { code, message } = response ? await said(response) : { code: 'not_found', message: 'There is no such resource.' }
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, message, { uri, ...(code === 'not_found' ? {} : { code }) })
  })
  return server
}

/** A tool's answer as structured content and as text; what was refused as an error that says what to do about it. */
async function call<D>(tool: Tool<D>, given: Record<string, unknown>, { asker, namespace, bytes }: Exchange, around: Surroundings<D>) {
  const { operation } = tool
  const asked = {
    ...asker,
    async given() {
      if (bytes > operation.maxBytes + ENVELOPE_BYTES)
        throw new Refusal('too_large', `The arguments must not be larger than ${operation.maxBytes} bytes.`, {
          maxBytes: operation.maxBytes,
        })
      return storable(namespace === null ? given : placed(tool, given, namespace))
    },
    // Only of what makes something: asked twice, to change or to take away is the same as once, or meant anew.
    ...(operation.method === 'post' &&
      !operation.destructive && { implied: (hash: Buffer) => ({ key: `mcp:${hash.toString('hex')}`, retryMs: RETRY_MS }) }),
  }
  const response = await perform(operation, asked, around)
  if (!response.ok) return { isError: true, content: [{ type: 'text' as const, text: JSON.stringify(await said(response)) }] }
  const text = await response.text()
  const output = JSON.parse(text)
  return { content: [{ type: 'text' as const, text: operation.mcpText?.(output) ?? text }], structuredContent: output }
}

/** What a model needs of a problem document: the code, the sentence, the fields. */
async function said(response: Response): Promise<{ code: string; message: string }> {
  const { type, title, status, detail, ...rest } = (await response.json()) as Record<string, unknown>
  return { message: detail as string, ...rest } as { code: string; message: string }
}
