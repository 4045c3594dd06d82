import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * What happens to one request on its way: it passes; its connection is cut before anything of it arrives, or after all of
 * it was done and before the answer; it is answered with an error that is not the store's; it is never answered.
 */
export type Fate = 'pass' | 'cut before' | 'cut after' | 'error' | 'hang'

export interface Passing {
  path: string
  body: string
}

export interface Cutter {
  url: string
  /** Everything that came by since `watch` was last called. */
  seen: Passing[]
  /** Decides the fate of each request from now on; `undefined` lets all pass. */
  decide: ((passing: Passing) => Fate) | undefined
  /** Resolves when all that was let through has been done, whether or not who asked for it still lives. */
  settled(): Promise<void>
  /** Refuses connections until `open` is called. */
  shut(): Promise<void>
  open(): Promise<void>
  close(): Promise<void>
}

/** Stands before an endpoint over HTTP and does to its requests what networks do. */
export async function proxy(target: string): Promise<Cutter> {
  const { origin } = new URL(target)
  const passing = new Set<Promise<void>>()
  const server = createServer(async (request, response) => {
    const one = { path: request.url ?? '/', body: await read(request) }
    self.seen.push(one)
    const fate = self.decide?.(one) ?? 'pass'
    if (fate === 'cut before') return void request.socket.destroy()
    if (fate === 'error') return void response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>')
    if (fate === 'hang') return
    const done = pass(request, one, response, fate)
    passing.add(done)
    await done
    passing.delete(done)
  })
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const shut = () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    return closed
  }

  async function pass(request: IncomingMessage, { path, body }: Passing, response: ServerResponse, fate: Fate): Promise<void> {
    const { host: _, connection: __, 'content-length': ___, 'transfer-encoding': ____, ...headers } = request.headers
    try {
      const answer = await fetch(origin + path, { method: request.method, headers: headers as Record<string, string>, body })
      const text = await answer.text()
      if (fate === 'cut after') return void request.socket.destroy()
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' }).end(text)
    } catch {
      request.socket.destroy()
    }
  }

  await listen(0)
  const { port } = server.address() as AddressInfo
  const self: Cutter = {
    url: `http://127.0.0.1:${port}${new URL(target).pathname}`,
    seen: [],
    decide: undefined,
    settled: async () => void (await Promise.all(passing)),
    shut,
    open: () => listen(port),
    close: () => (server.listening ? shut() : Promise.resolve()),
  }
  return self
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
