import type { FieldDef, Submittable } from 'pg'

export interface SqlStatement {
  query: string
  /** Text form of each parameter; null is SQL null. */
  params: (string | null)[]
}

/** One statement's answer, every value as Postgres writes it in text format. */
export interface SqlResult {
  fields: FieldDef[]
  rows: (string | null)[][]
  command: string
  rowCount: number | null
}

/** What a batch needs of `pg`'s connection; its types leave the connection out. */
export interface WireConnection {
  stream: { cork(): void; uncork(): void }
  parse(message: { name: string; text: string }): void
  bind(message: { statement: string; values: (string | null)[] }): void
  describe(message: { type: 'P'; name: string }): void
  execute(message: Record<string, never>): void
  close(message: { type: 'S'; name: string }): void
  sync(): void
  sendCopyFail(message: string): void
}

/** Statements that one connection has parsed, by text, least recently used first. */
export interface Prepared {
  names: Map<string, string>
  made: number
}

/** Beyond this many, or this long, a statement is parsed each time. */
const MAX_PREPARED = 256
const MAX_PREPARED_LENGTH = 32_768

/**
 * Statements sent as one pipeline of the extended protocol with a single Sync: one write, one answer, and Postgres
 * skips everything after the first error. Repeated texts are parsed once per connection.
 */
export class Batch implements Submittable {
  readonly #statements: readonly SqlStatement[]
  readonly #prepared: Prepared
  readonly #results: SqlResult[] = []
  readonly #fresh: string[] = []
  #current: SqlResult = empty()
  readonly #settle: { resolve(results: SqlResult[]): void; reject(error: Error): void }
  readonly done: Promise<SqlResult[]>

  constructor(statements: readonly SqlStatement[], prepared: Prepared) {
    this.#statements = statements
    this.#prepared = prepared
    const { promise, resolve, reject } = Promise.withResolvers<SqlResult[]>()
    this.done = promise
    this.#settle = { resolve, reject }
  }

  submit(wire: unknown): void {
    const connection = wire as WireConnection
    connection.stream.cork()
    for (const { query, params } of this.#statements) {
      connection.bind({ statement: this.#parse(connection, query), values: params })
      connection.describe({ type: 'P', name: '' })
      connection.execute({})
    }
    connection.sync()
    connection.stream.uncork()
  }

  #parse(connection: WireConnection, text: string): string {
    const { names } = this.#prepared
    const known = names.get(text)
    if (known !== undefined) {
      names.delete(text)
      names.set(text, known)
      return known
    }
    const name = text.length > MAX_PREPARED_LENGTH ? '' : `s${this.#prepared.made++}`
    connection.parse({ name, text })
    if (name === '') return name
    names.set(text, name)
    this.#fresh.push(text)
    if (names.size > MAX_PREPARED) {
      const [oldest, oldestName] = names.entries().next().value as [string, string]
      names.delete(oldest)
      connection.close({ type: 'S', name: oldestName })
    }
    return name
  }

  handleRowDescription(message: { fields: FieldDef[] }): void {
    this.#current.fields = message.fields
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    this.#current.rows.push(message.fields)
  }

  handleCommandComplete(message: { text: string }): void {
    const words = message.text.split(' ')
    const count = Number(words.at(-1))
    this.#current.command = words[0] as string
    this.#current.rowCount = words.length > 1 && Number.isInteger(count) ? count : null
    this.#next()
  }

  handleEmptyQuery(): void {
    this.#next()
  }

  #next(): void {
    this.#results.push(this.#current)
    this.#current = empty()
  }

  /** Postgres has ignored the Sync that was sent already, so it needs another one after the refusal. */
  handleCopyInResponse(wire: unknown): void {
    const connection = wire as WireConnection
    connection.sendCopyFail('COPY is not supported over HTTP')
    connection.sync()
  }

  handleCopyData(): void {}

  /** Which of the new statements Postgres parsed before it failed is not told, so all of them are forgotten. */
  handleError(error: Error): void {
    for (const text of this.#fresh) this.#prepared.names.delete(text)
    this.#settle.reject(error)
  }

  handleReadyForQuery(): void {
    this.#settle.resolve(this.#results)
  }
}

const empty = (): SqlResult => ({ fields: [], rows: [], command: '', rowCount: null })
