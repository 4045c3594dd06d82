import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { closer } from './close.ts'

export interface ServeOptions {
  /** 0 takes any free port. */
  port: number
  /** 127.0.0.1 unless the service shall be reached from elsewhere. */
  hostname?: string
  /** How long running requests may take to finish once it closes. */
  graceMs?: number
}

export interface Serving {
  /** `http://127.0.0.1:8787`, with the port it got. */
  url: string
  port: number
  close(): Promise<void>
}

/** Serves a fetch-style application. Rejects with Node's own error when the port is taken (`EADDRINUSE`). */
export async function serve(app: { fetch(request: Request): Response | Promise<Response> }, options: ServeOptions): Promise<Serving> {
  const { hostname = '127.0.0.1', graceMs = 10_000 } = options
  const server = createAdaptorServer({ fetch: app.fetch }) as Server
  server.keepAliveTimeout = 75_000
  const close = closer(server)
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port, hostname, resolve))
  const { port } = server.address() as AddressInfo
  const host = hostname.includes(':') ? `[${hostname}]` : hostname
  return { url: `http://${host}:${port}`, port, close: () => close(graceMs) }
}
