import { GraphStoreError } from '@twofold/core/failures.ts'
import { isBrokenCircuitError } from '@twofold/resilience/breaker.ts'
import neo4j, { Neo4jError } from 'neo4j-driver-lite'

/** The caller's time or patience ended without an answer, after so long that the store must be taken for stuck. */
export class Silent extends Error {
  override readonly name = 'Silent'
}

const codeOf = (error: unknown): string => (error instanceof Neo4jError ? error.code : '')

/**
 * Data that Neo4j will never take, so that trying again cannot help: what is no property value, no name of a label or
 * type, or too large for an index, which arrives as a failure of the database. A statement that this server does not
 * understand is no fault of a row.
 */
const isRefused = (error: unknown): boolean =>
  /^Neo\.ClientError\.(Statement\.TypeError|Schema\.TokenNameError)$/.test(codeOf(error)) ||
  (error instanceof Neo4jError && error.message.includes('too large to index'))

/** Another transaction was in the way: a deadlock, or a placeholder that was purged or made by two at the same moment. */
export const isConflict = (error: unknown): boolean =>
  /^Neo\.(TransientError\.Transaction\.|ClientError\.(Statement\.EntityNotFound|Schema\.ConstraintValidationFailed)$)/.test(codeOf(error))

/** Whether the same again may help. The fence makes that harmless, also where nobody knows what became of the first. */
export const isTransient = (error: unknown): boolean => neo4j.isRetryableError(error) || isConflict(error)

const AWAY =
  /^(ServiceUnavailable|SessionExpired|Neo\.ClientError\.(Security|Database|Cluster)\.|Neo\.TransientError\.(Database|Cluster)\.|Neo\.\w+\.General\.DatabaseUnavailable)/

/** Every connection was in use for a second: stuck, since others would have given theirs back. */
const isExhausted = (error: unknown): boolean => error instanceof Neo4jError && error.message.includes('acquisition timed out')

/** A store that cannot be reached or lets nobody in counts for the breaker; one that answers, whatever it says, is up. */
export const isAway = (error: unknown): boolean => error instanceof Silent || AWAY.test(codeOf(error)) || isExhausted(error)

/** What one transaction, or all of them together, may hold in memory (`db.memory.transaction.max`, `….total.max`). */
const isTooLarge = (error: unknown): boolean => /MemoryPoolOutOfMemoryError|TransactionOutOfMemoryError/.test(codeOf(error))

/** What the port throws of a failure. `unsure` says so when a commit was sent and its answer is missing. */
export function graphError(step: string, error: unknown, unsure = false): GraphStoreError {
  if (error instanceof GraphStoreError) return error
  const answered = codeOf(error).startsWith('Neo.') || isBrokenCircuitError(error)
  return new GraphStoreError(step, {
    retryable: !isRefused(error),
    unsure: unsure && !answered,
    tooLarge: isTooLarge(error),
    cause: error,
  })
}
