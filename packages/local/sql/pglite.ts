import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { Worker } from 'node:worker_threads'
import pg from 'pg'
import { poolBackend, SESSION_SETTINGS, type SqlBackend } from './backend.ts'

export interface PgliteData {
  /** A folder; without one the database is in memory. */
  dataDir?: string
  /** A dumped data folder to begin with instead of an empty one. */
  template?: Uint8Array<ArrayBuffer>
}

export type ToWorker = { kind: 'wire'; bytes: Uint8Array } | { kind: 'dump' } | { kind: 'close' }
export type FromWorker = { kind: 'open' } | { kind: 'wire'; bytes: Uint8Array } | { kind: 'dump'; bytes: Uint8Array<ArrayBuffer> }

/** PGlite in a worker thread, as the socket `pg` believes it talks to Postgres through. */
class PgliteSocket extends Duplex {
  readonly #data: PgliteData
  #worker: Worker | undefined
  #dumped: ((bytes: Uint8Array<ArrayBuffer>) => void) | undefined

  constructor(data: PgliteData) {
    super()
    this.#data = data
  }

  connect(): this {
    const worker = new Worker(new URL('./pglite-worker.ts', import.meta.url), { workerData: this.#data })
    this.#worker = worker
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'wire') this.push(message.bytes)
      else if (message.kind === 'dump') this.#dumped?.(message.bytes)
      else this.emit('connect')
    })
    worker.on('error', (error) => this.destroy(error as Error))
    worker.on('exit', () => this.destroy())
    return this
  }

  dump(): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve) => {
      this.#dumped = resolve
      this.#send({ kind: 'dump' })
    })
  }

  #send(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#worker?.postMessage(message, transfer)
  }

  /** `pg` writes whole messages only, and PGlite must be given whole ones: a batch goes over as one. */
  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    const bytes = new Uint8Array(chunks.reduce((size, { chunk }) => size + chunk.length, 0))
    let offset = 0
    for (const { chunk } of chunks) {
      bytes.set(chunk, offset)
      offset += chunk.length
    }
    this.#send({ kind: 'wire', bytes }, [bytes.buffer])
    done()
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this._writev([{ chunk }], done)
  }

  override _read(): void {}

  override _final(done: () => void): void {
    this.#send({ kind: 'close' })
    done()
  }

  setNoDelay(): this {
    return this
  }

  ref(): this {
    this.#worker?.ref()
    return this
  }

  unref(): this {
    this.#worker?.unref()
    return this
  }
}

export interface PgliteBackend extends SqlBackend {
  /** How long it took to open, in milliseconds. */
  openedMs: number
  /** The data folder as an uncompressed tar, for `template`. */
  dump(): Promise<Uint8Array<ArrayBuffer>>
}

/** Opens PGlite with pgvector. One session: statements queue in the order they came. */
export async function openPglite(data: PgliteData, log: (message: string) => void): Promise<PgliteBackend> {
  const start = performance.now()
  let socket: PgliteSocket | undefined
  const pool = new pg.Pool({
    max: 1,
    idleTimeoutMillis: 0,
    user: 'postgres',
    database: 'postgres',
    stream: () => (socket = new PgliteSocket(data)) as never,
    onConnect: async (client) => void (await client.query(SESSION_SETTINGS)),
  })
  const client = await pool.connect()
  client.release()
  return {
    ...poolBackend(pool, log),
    openedMs: performance.now() - start,
    dump: () => (socket as PgliteSocket).dump(),
    async close() {
      const closed = socket?.closed ? undefined : once(socket as PgliteSocket, 'close')
      await pool.end()
      await closed
    },
  }
}
