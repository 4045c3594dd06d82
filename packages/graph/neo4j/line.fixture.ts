import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A line to a server that can be cut, or go silent while it stays open. */
export class Line {
  readonly uri: string
  readonly #target: URL
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #silent = false

  private constructor(target: URL, server: Server) {
    this.#target = target
    this.#server = server
    this.uri = `${target.protocol}//127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('connection', (near) => this.#join(near))
  }

  static async to(uri: string): Promise<Line> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new Line(new URL(uri), server)
  }

  #join(near: Socket): void {
    const far = connect(Number(this.#target.port), this.#target.hostname)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('data', (data) => void (this.#silent && socket === far ? undefined : other.write(data)))
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
  }

  /** What is asked still arrives; nothing is answered. */
  silence(): void {
    this.#silent = true
  }

  /** Breaks what is joined; new connections work as ever. */
  cut(): void {
    this.#silent = false
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Nobody gets through any more, and after `open` they do. */
  async shut(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.cut()
    await closed
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(Number(new URL(this.uri).port), '127.0.0.1', resolve))
  }
}
