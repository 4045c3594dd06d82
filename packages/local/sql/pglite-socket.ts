import { Duplex } from 'node:stream'
import { Worker } from 'node:worker_threads'

export interface PgliteData {
  /** Postgres's own folder, made when it is not there; without one the database is in memory. */
  dataDir?: string
  /** A dumped data folder to begin with instead of an empty one. */
  template?: Uint8Array<ArrayBuffer>
}

export type ToWorker = { kind: 'wire'; bytes: Uint8Array } | { kind: 'dump' } | { kind: 'close' }
export type FromWorker = { kind: 'open' } | { kind: 'wire'; bytes: Uint8Array } | { kind: 'dump'; bytes: Uint8Array<ArrayBuffer> }

/** PGlite in a worker thread, as the socket `pg` believes it talks to Postgres through. */
export class PgliteSocket extends Duplex {
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
    let failure: Error | undefined
    worker.on('error', (error) => {
      failure = new Error(`PGlite stopped: ${(error as Error).message}`, { cause: error })
    })
    worker.on('exit', () => this.destroy(failure))
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

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#worker?.terminate().then(() => done(error))
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
