import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Server } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import type { Found } from './find.ts'
import { reasonOf } from './reason.ts'

const NAME = { name: 'twofold', title: 'Twofold', version: '0.1.0' }

export interface BridgeOptions {
  /** The service, whichever runs now; asked again when it has gone. */
  reach(): Promise<Found>
  /** What the connection asks for, as the service's `/mcp` takes it: `namespace`, `tools`. */
  query: Readonly<Record<string, string | undefined>>
  log(message: string): void
}

/**
 * Hands on what a client asks on standard input to the service's `/mcp`, and its answers to standard output. A service that
 * has gone is looked for once more in the middle of a request; asked twice, it stores once. Resolves when the client is there.
 */
export async function bridge({ reach, query, log }: BridgeOptions): Promise<{ close(): Promise<void> }> {
  let current: Promise<Client> | null = null

  async function connect(): Promise<Client> {
    const { url, key } = await reach()
    const at = new URL('/mcp', url)
    for (const [name, value] of Object.entries(query)) if (value) at.searchParams.set(name, value)
    const client = new Client(NAME)
    await client.connect(new StreamableHTTPClientTransport(at, { requestInit: { headers: { authorization: `Bearer ${key}` } } }))
    return client
  }
  const connected = () => {
    current ??= connect().catch((error) => {
      current = null
      throw error
    })
    return current
  }
  const ask = async <T>(asking: (client: Client) => Promise<T>): Promise<T> => {
    const client = await connected()
    try {
      return await asking(client)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      log(`the service has gone (${reasonOf(error)}); looking for it again`)
      current = null
      return asking(await connected())
    }
  }

  const first = await connected()
  const handle = serveStdio(() => {
    const instructions = first.getInstructions()
    const server = new Server(first.getServerVersion() ?? NAME, { capabilities: { tools: {}, resources: {} }, instructions })
    server.setRequestHandler('tools/list', ({ params }) => ask((client) => client.request({ method: 'tools/list', params })))
    server.setRequestHandler('tools/call', ({ params }) => ask((client) => client.request({ method: 'tools/call', params })))
    server.setRequestHandler('resources/list', ({ params }) => ask((client) => client.request({ method: 'resources/list', params })))
    server.setRequestHandler('resources/read', ({ params }) => ask((client) => client.request({ method: 'resources/read', params })))
    server.setRequestHandler('resources/templates/list', ({ params }) =>
      ask((client) => client.request({ method: 'resources/templates/list', params })),
    )
    return server
  })
  return {
    async close() {
      await handle.close()
      await (await current)?.close()
    },
  }
}
