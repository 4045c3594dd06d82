import type { Server } from 'node:http'

/**
 * Watches a server from before its first request; what is returned stops accepting, lets running requests finish for
 * at most `graceMs`, then cuts what is left. Counted here, because Node does not call a connection idle that was
 * opened and has not asked for anything yet, as browsers do.
 */
export function closer(server: Server): (graceMs: number) => Promise<void> {
  let running = 0
  let closing = false
  const cutIfIdle = () => {
    if (closing && running === 0) server.closeAllConnections()
  }
  server.on('request', (_, response) => {
    running++
    response.on('close', () => {
      running--
      cutIfIdle()
    })
  })
  return (graceMs) =>
    new Promise((resolve) => {
      const cut = setTimeout(() => server.closeAllConnections(), graceMs)
      server.close(() => {
        clearTimeout(cut)
        resolve()
      })
      closing = true
      cutIfIdle()
    })
}
