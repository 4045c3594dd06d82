import type { Server } from 'node:http'

/**
 * Stops accepting, lets running requests finish for at most `graceMs`, then cuts what is left. Idle keep-alive
 * sockets are closed at once.
 */
export function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}
