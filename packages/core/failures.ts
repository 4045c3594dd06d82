import { Refusal } from '@twofold/operation/refusal.ts'

export type Store = 'vector' | 'graph' | 'cache' | 'queue' | 'model'

/** A store could not do its part. Says which store, at which step, and whether a retry can help. */
export abstract class PersistenceError extends Error {
  abstract readonly store: Store
  readonly step: string
  readonly retryable: boolean
  /** True when the store may have done it all the same and only its answer is missing. */
  readonly unsure: boolean

  constructor(step: string, options: { retryable: boolean; unsure?: boolean; cause?: unknown }) {
    super(`${step} failed`, { cause: options.cause })
    this.step = step
    this.retryable = options.retryable
    this.unsure = options.unsure ?? false
  }
}

export class VectorStoreError extends PersistenceError {
  override readonly name = 'VectorStoreError'
  readonly store = 'vector'
}

export class GraphStoreError extends PersistenceError {
  override readonly name = 'GraphStoreError'
  readonly store = 'graph'
  /** True when the store has no room for so much at once, and a part of it may go in. */
  readonly tooLarge: boolean

  constructor(step: string, options: { retryable: boolean; unsure?: boolean; tooLarge?: boolean; cause?: unknown }) {
    super(step, options)
    this.tooLarge = options.tooLarge ?? false
  }
}

/** An embedding or language model failed, timed out or answered what cannot be used. Never fails a write. */
export class ModelError extends PersistenceError {
  override readonly name = 'ModelError'
  readonly store = 'model'
}

/** A statement failed in a way no guard foresaw. Carries what Postgres says of where, never a parameter's value. */
export class SqlError extends Error {
  override readonly name = 'SqlError'
  readonly code: string
  readonly constraint: string | null

  constructor(code: string, message: string, constraint: string | null = null, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.constraint = constraint
  }
}

export const isUniqueViolation = (error: unknown): boolean => error instanceof SqlError && error.code === '23505'

/** Not a failure: the idempotency key was used by an identical request that succeeded; these are its results. */
export class Replay extends Error {
  override readonly name = 'Replay'
  readonly targets: readonly ReplayTarget[]

  constructor(targets: readonly ReplayTarget[]) {
    super('replay')
    this.targets = targets
  }
}

/** Not a failure: the tenant lives at another place, and nothing was done for it here. */
export class Elsewhere extends Error {
  override readonly name = 'Elsewhere'
  readonly place: string

  constructor(place: string) {
    super('the tenant lives elsewhere')
    this.place = place
  }
}

/** What an idempotency row remembers of one result: which thing at which version, or the code it was refused with. */
export interface ReplayTarget {
  id: string | null
  version: number | null
  code: string | null
}

const UNKNOWN =
  'It is not known whether this request was carried out. The same request with the same Idempotency-Key, or for a new memory the same id, tells.'

/** What a request still reads after it has written: when that fails, it cannot say that nothing was changed. */
export async function afterWriting<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof VectorStoreError)
      throw new VectorStoreError(error.step, { retryable: error.retryable, unsure: true, cause: error })
    if (error instanceof Refusal && error.code === 'timeout')
      throw new Refusal('timeout', `The database took too long. ${UNKNOWN}`, {}, { cause: error })
    throw error
  }
}

/** What the world is told of a failure: a refusal as it is, a store that is down as `unavailable`, all else `null` (internal). */
export function asRefusal(error: unknown): Refusal | null {
  if (error instanceof Refusal) return error
  if (error instanceof Elsewhere) return new Refusal('unavailable', 'The tenant is being moved; ask again.', { retryAfterMs: 1000 })
  if (error instanceof PersistenceError && error.retryable) {
    const store = { vector: 'The database', graph: 'The graph', cache: 'The cache', queue: 'The queue', model: 'The model' }[error.store]
    const outcome = error.unsure
      ? `${store} did not answer, and what this request asked for may have been done. ${UNKNOWN}`
      : `${store} cannot be reached at the moment; nothing was changed by this request.`
    return new Refusal('unavailable', outcome, { retryAfterMs: 1000 }, { cause: error })
  }
  return null
}
