import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { closer } from './close.ts'

export interface WireRequest {
  method: string
  path: string
  header(name: string): string
  body: Buffer
  /** Aborts when the client has gone. */
  signal: AbortSignal
}

export interface WireAnswer {
  status: number
  headers?: Record<string, string>
  body: string | Uint8Array
}

/** One protocol that the cloud would speak, without its server. */
export interface Endpoint {
  maxBodyBytes: number
  handle(request: WireRequest): Promise<WireAnswer>
  tooLarge(): WireAnswer
  /** Ends what waits on purpose, so that the server can close. */
  close?(): void
}

export interface Listening {
  /** `http://127.0.0.1:<port>`. */
  url: string
  close(): Promise<void>
}

/**
 * Serves endpoints by the first segment of the path on a loopback port. Plain `node:http`: every request of the
 * product passes here, and a framework would cost more than most of its statements.
 */
export async function listen(
  endpoints: Record<string, Endpoint>,
  options: { port?: number; log: (message: string) => void },
): Promise<Listening> {
  const server = createServer({ keepAliveTimeout: 75_000 }, async (request, response) => {
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    const endpoint = endpoints[path.split('/')[1] ?? '']
    let answer: WireAnswer
    try {
      answer = endpoint ? await serve(endpoint, request, path, gone.signal) : { status: 404, body: 'not found' }
    } catch (error) {
      if (gone.signal.aborted) return
      options.log(`${path}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
      answer = { status: 500, body: 'internal error' }
    }
    const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
    response.writeHead(answer.status, { 'content-length': body.length, ...answer.headers }).end(body)
  })
  server.requestTimeout = 0
  const close = closer(server)
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      for (const endpoint of Object.values(endpoints)) endpoint.close?.()
      return close(2_000)
    },
  }
}

async function serve(endpoint: Endpoint, request: IncomingMessage, path: string, signal: AbortSignal): Promise<WireAnswer> {
  const body = await read(request, endpoint.maxBodyBytes)
  if (!body) return { ...endpoint.tooLarge(), headers: { connection: 'close' } }
  const header = (name: string) => {
    const value = request.headers[name.toLowerCase()]
    return (Array.isArray(value) ? value[0] : value) ?? ''
  }
  return endpoint.handle({ method: request.method ?? 'GET', path, header, body, signal })
}

/** The body, or null when it is longer than allowed. */
async function read(request: IncomingMessage, limit: number): Promise<Buffer | null> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return null
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > limit) return null
    chunks.push(chunk as Buffer)
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
}
