import type { Caller } from '@twofold/operation/caller.ts'
import type { GraphPort } from './graph/port.ts'
import type { Statement } from './sql.ts'

/** Half-open range of namespaces in C collation: `low <= namespace < high`. */
export interface Range {
  low: string
  high: string
}

export type Rows<S extends readonly Statement<any>[]> = {
  [K in keyof S]: S[K] extends Statement<infer Row> ? Row[] : never
}

/** What `authorize` found out about the key, in the transaction that also ran the statements. */
export interface Authorized {
  /** The tenant's id as the world sees it (a UUID); rows carry its number, which only the database knows. */
  tenant: string
  keyId: string
  scopes: string[]
  grants: string[]
}

/**
 * Postgres. Every method is one HTTP round trip and one transaction under the unprivileged role; a guard that raises
 * takes the whole list with it and arrives here as a `Refusal` or a `Replay`. Deadlocks and serialisation failures
 * are retried inside. A store that cannot be reached throws a retryable `VectorStoreError`.
 */
export interface Database {
  /**
   * As a caller: `authorize(key hash, scope, ranges)` first, then the statements.
   * `ranges` are the namespaces the request names (each must lie inside one grant, else `forbidden`); null for
   * requests by id, or over everything the key may see. `write` marks lists that must not be sent twice when the
   * connection breaks after sending, unless they are `repeatable`: a second run finds what the first did and says so
   * (`Replay`, `Taken`). Reads are retried.
   */
  asCaller<const S extends readonly Statement<any>[]>(
    caller: Caller,
    ranges: readonly Range[] | null,
    statements: S,
    options?: { write?: boolean; repeatable?: boolean },
  ): Promise<{ authorized: Authorized; rows: Rows<S> }>
  /** As background work of one tenant (`act_for`). Lists must be idempotent: they are retried. */
  asTenant<const S extends readonly Statement<any>[]>(tenant: string, statements: S): Promise<Rows<S>>
  /** Asks for a sign of life. Never throws. */
  health(): Promise<StoreHealth>
  /** What spans tenants: calls of definer functions only; no tenant is set, so row-level security shows nothing. */
  across<const S extends readonly Statement<any>[]>(statements: S, options?: { write?: boolean; repeatable?: boolean }): Promise<Rows<S>>
}

/** Redis, used as a cache: every failure is swallowed by the port, counted and logged; a miss is `null`. */
export interface Cache {
  /** Vectors by model and text hash. Order as asked; null where unknown. */
  embeddings(model: string, texts: readonly string[]): Promise<(Float32Array | null)[]>
  storeEmbeddings(model: string, entries: readonly { text: string; vector: Float32Array }[]): Promise<void>
  /** A hard deletion takes the vectors of the deleted texts along. */
  forgetEmbeddings(model: string, texts: readonly string[]): Promise<void>
  /** The random generation values of a tenant's subjects (and of the tenant itself for ''), made when absent; null when Redis cannot say. */
  generations(tenant: string, subjects: readonly string[]): Promise<string[] | null>
  /** Moves the generations of these subjects and of the tenant. Tells whether Redis took it. */
  invalidate(tenant: string, subjects: readonly string[]): Promise<'written' | 'failed' | 'disabled'>
  health(): Promise<StoreHealth>
}

export interface StoreHealth {
  available: boolean
  healthy: boolean
  lastCheck: string
  breaker: 'closed' | 'open' | 'half-open'
  /** True when the configuration switches the store off. */
  disabled?: boolean
}

export interface Embedder {
  /** `embedded:minilm-l6-v2-fp16` or `provider:model`; what stored vectors are tagged with. */
  readonly model: string
  readonly dimensions: number
  /** Longest text in one call, texts per call: callers need not care, the port splits. Order as given. Throws `ModelError` when it cannot before `signal` aborts. `interactive` goes before background work. */
  embed(texts: readonly string[], options: { signal: AbortSignal; priority: 'interactive' | 'background' }): Promise<Float32Array[]>
}

export interface ExtractedEntity {
  type: string
  value: string
  confidence: number
  source: string
}

export interface ExtractedRelation {
  from: { type: string; value: string }
  type: string
  to: { type: string; value: string }
  confidence: number
}

export interface Extractor {
  readonly model: string
  /** `known` are the names of people who take part or are known in the subject: a gazetteer. Throws `ModelError`. */
  extract(
    texts: readonly { text: string; known: readonly string[] }[],
    options: { signal: AbortSignal },
  ): Promise<{ entities: ExtractedEntity[]; relations: ExtractedRelation[] }[]>
}

/** A text as a language model is shown it, by a number that stands for nothing outside of this call. */
export interface NumberedText {
  number: number
  text: string
  speaker: string | null
  /** When it happened or was said; null: not known. */
  at: string | null
}

/** What a model takes for one. */
export interface Proposal {
  /** The number of the text to keep, and of those that go. */
  keep: number
  merge: readonly number[]
  reason: 'duplicate' | 'contradiction'
}

/** Something worth knowing that a model found in what was said. */
export interface Inferred {
  /** The number of the message it comes from. */
  message: number
  text: string
  /** How it stands to what is known: new, more of `known`, in the place of `known`, or nothing new beside it. */
  event: 'add' | 'update' | 'supersede' | 'same'
  known: number | null
}

/**
 * A language model, asked for structured answers. It may answer numbers that it was not shown: whoever asks looks at what
 * comes back. Throws `ModelError` when it fails, answers something else than was asked for, or not before `signal` aborts.
 */
export interface LanguageModel {
  readonly model: string
  /** Which of these texts say the same, or cannot be true together any more. */
  judge(texts: readonly NumberedText[], options: { signal: AbortSignal }): Promise<Proposal[]>
  /** What is worth knowing of these messages, beside what is known. */
  infer(messages: readonly NumberedText[], known: readonly NumberedText[], options: { signal: AbortSignal }): Promise<Inferred[]>
}

/** Tells the graph writer that rows are owed. A nudge that is lost costs time, never truth: the relay sweeps. */
export interface GraphQueue {
  /** Never throws. */
  nudge(tenant: string, ids: readonly string[]): Promise<void>
}

export interface Log {
  info(event: string, fields?: Record<string, unknown>): void
  warn(event: string, fields?: Record<string, unknown>): void
  error(event: string, fields?: Record<string, unknown>): void
}

/** How all tenants together stand; what alarms look at. Names no tenant. */
export type Gauge =
  | 'twofold_agreement_min_percent'
  | 'twofold_agreement_below_90'
  | 'twofold_agreement_unknown'
  | 'twofold_owed'
  | 'twofold_oldest_owed_ms'
  | 'twofold_parked'
  | 'twofold_drift_open'
  | 'twofold_database_bytes'
  | 'twofold_measured_at_seconds'

/** Limits and defaults that are configuration; read from the environment by `functions/env.ts`, nowhere else. */
export interface Settings {
  graphEnabled: boolean
  rollbackOnPartialFailure: boolean
  /** How long embedding and extraction of one write may take before they are owed. */
  modelDeadlineMs: number
  /** The same for a whole batch. */
  batchModelDeadlineMs: number
  /** How long `waitFor: "graph"` waits before the write is owed (or rolled back). */
  graphDeadlineMs: number
  /** How long a leased ledger row belongs to its writer. */
  leaseMs: number
  /** Whether schedules compare the stores by themselves, how often in milliseconds, and at which hour (UTC) all of them. */
  autoSync: boolean
  syncIntervalMs: number
  nightlyHour: number
  /** Events of a session that are not archived yet, about. */
  sessionEventsKept: number
  /** How long a turn lives where neither it nor its conversation says so. */
  turnTtlHours: number
  /** Turns of a context at most. */
  maxContextTurns: number
  auditRetentionDays: number
}

/** What was read, or refused: who did what to what. Never what it says. */
export interface Noted {
  at: string
  /** The key's id where the database has named it lately, else its hash. */
  key: string | null
  hash: string | null
  onBehalfOf: string | null
  requestId: string
  action: string
  /** What was asked for by its id, or (sessions, conversations) by the caller's own. */
  target: string | null
  named: string | null
  /** What was named, or covers all that the key may see; empty for everything, null when it follows from the target. */
  namespace: string | null
  /** `ok`, or the code it was refused with. */
  outcome: string
}

/** The audit of what no transaction writes. */
export interface Audit {
  /** Never waits, never throws. */
  note(entry: Noted): void
  /** Resolves when everything noted so far is in the database, or could not be brought there. */
  flush(): Promise<void>
}

/** Where tenants live: each place is a database with a graph of its own. Tenants of different places share nothing but the cache, the queues and the models. */
export interface Places {
  /** Where these deps stand. */
  readonly here: string
  /** All there are, `home` first. */
  readonly names: readonly string[]
  /** What stands there, opened by the first who asks; null: there is no such place. */
  at(name: string): Promise<Deps> | null
  /** Where somebody (a key's hash, a tenant's id) was found last; null: not known. A hint: the database decides. */
  of(who: string): string | null
  found(who: string, place: string): void
}

/** Everything an operation stands on. Built once per process in `functions/assemble.ts`; tests build their own. */
export interface Deps {
  db: Database
  graph: GraphPort
  cache: Cache
  embedder: Embedder
  extractor: Extractor
  /** Null where the deployment has none. */
  language: LanguageModel | null
  queue: GraphQueue
  audit: Audit
  places: Places
  log: Log
  settings: Settings
  /** What this process has counted and timed, in Prometheus's text format. Names no tenant. */
  metrics(): Promise<string>
  /** Sets what that shows from now on; null: not known. */
  gauge(name: Gauge, value: number | null): void
  /** The time; injected, so that tests can turn it. */
  now(): Date
  /** A new UUIDv7. */
  id(): string
  /** A new API key: 256 random bits, and before them the place where it is known unless that is home. */
  secret(): string
  /** What the database said of a key in the last minute. Only a hint (may a model be called, which grants to search): never authorizes. */
  verifiedKeys: { get(keyHash: Buffer): Authorized | null }
}
