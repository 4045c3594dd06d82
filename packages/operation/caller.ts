/** Who asks, as far as a request alone can tell. Whether the key is valid is decided by the database, in the transaction that answers. */
export interface Caller {
  /** SHA-256 of the API key; the key itself is dropped as soon as it is hashed. */
  readonly keyHash: Buffer
  /** Set for a message of another service, which has no key: the tenant it names, and who sent it, by whom it is audited. */
  readonly source?: Source
  /** Where the key says that its owner lives; null: it says nothing. A hint. */
  readonly place?: string | null
  /** What the operation needs, checked by `authorize` in the database; null: any valid key (or, on public routes, none) will do. */
  readonly scope: string | null
  readonly operation: string
  readonly requestId: string
  readonly onBehalfOf: string | null
  /** Set when a write carries an `Idempotency-Key`. */
  readonly idempotency: Idempotency | null
  /** SHA-256 over operation, path, query and body in canonical form: what makes two requests "the same". */
  readonly requestHash: Buffer
  /** The version named by `If-Match`, null without one (or with `*`). */
  readonly ifMatch: number | null
  readonly timings: Timings
  /** Aborts when the client has gone or the deadline has passed. */
  readonly signal: AbortSignal
}

export interface Source {
  /** The tenant's id, or its name. */
  readonly tenant: string
  readonly name: string
}

export interface Idempotency {
  readonly key: string
  /**
   * Set when the caller did not name the key and may mean the same once more: for so many milliseconds the first answer
   * holds, and only as long as what it wrote is there.
   */
  readonly retryMs?: number
}

/** The parts of a request's time, in milliseconds; becomes the `Server-Timing` header. */
export class Timings {
  readonly parts = new Map<string, number>()

  add(part: string, ms: number): void {
    this.parts.set(part, (this.parts.get(part) ?? 0) + ms)
  }

  /** Runs `work` and adds how long it took to `part`, whether it succeeds or not. */
  async measure<T>(part: string, work: () => Promise<T>): Promise<T> {
    const start = performance.now()
    try {
      return await work()
    } finally {
      this.add(part, performance.now() - start)
    }
  }
}
