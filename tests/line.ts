import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A port that leads to a server while it is open, and where nobody answers while it is not. */
export interface Line {
  port: number
  /** The URL of the server, by this port. */
  url: string
  open(): Promise<void>
  /** Cuts every connection too. */
  cut(): Promise<void>
}

/** A line to the server at `url`, cut to begin with. */
export async function lineTo(url: string): Promise<Line> {
  const { hostname, port: target } = new URL(url)
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined)
  }
  const server = createServer((socket) => {
    const onward = connect(Number(target), hostname)
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      keep(one)
      one.pipe(other)
      one.on('close', () => other.destroy())
    }
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const cut = async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  await listen(0)
  const { port } = server.address() as AddressInfo
  await cut()
  return {
    port,
    url: url.replace(/(127\.0\.0\.1|localhost):\d+/, `127.0.0.1:${port}`),
    open: () => listen(port),
    cut: async () => (server.listening ? cut() : undefined),
  }
}
