import { Elsewhere, Replay, type ReplayTarget, SqlError, VectorStoreError } from '@twofold/core/failures.ts'
import { type Code, type Details, Refusal } from '@twofold/operation/refusal.ts'
import { Answered, Unreachable } from './endpoint.ts'

export interface Verdict {
  /** What the caller gets when it is not tried again. */
  error: Error
  /** A SQLSTATE, or in words why there was no answer. */
  reason: string
  /** The database did not answer, as opposed to answering no. */
  connection: boolean
  /** `always`: rolled back or never sent. `reads`: it may have happened. */
  again: 'always' | 'reads' | 'never'
}

const RUN_AGAIN = new Set(['40001', '40P01', 'TW002'])
/** Cannot connect (yet): nothing of ours has run. */
const NOT_STARTED = new Set(['08001', '08004', '53300', '57P03'])
const BROKEN_OFF = new Set(['08000', '08003', '08006', '57P01', '57P02'])
/** Out of disk or memory, or our login is refused: a person must act; the same request again does not help. */
const OUT_OF_ORDER = /^(28|3D|53)/

/** What a failure to send statements means. */
export function judge(error: unknown): Verdict {
  if (error instanceof Unreachable) return down(error.message, error.sent ? 'reads' : 'always', error)
  if (!(error instanceof Answered)) return answered(error as Error, 'rows')
  const { code } = error.said
  if (!code) return down('no SQLSTATE', 'reads', error)
  if (code === 'TW001') return answered(guard(error), code)
  if (code === 'TW004') return answered(new Elsewhere(error.message), code)
  if (RUN_AGAIN.has(code)) {
    const busy = new Refusal('in_progress', 'Other requests are changing the same thing; try again.', { retryAfterMs: 200 })
    return { ...answered(busy, code), again: 'always' }
  }
  if (code === '55P03') {
    const locked = 'Another request is changing the same thing and has not finished.'
    return answered(new Refusal('in_progress', locked, { retryAfterMs: 1000 }), code)
  }
  if (code === '57014') return answered(new Refusal('timeout', 'The database took too long; nothing was changed by this request.'), code)
  if (NOT_STARTED.has(code)) return down(code, 'always')
  if (BROKEN_OFF.has(code)) return down(code, 'reads')
  if (OUT_OF_ORDER.test(code)) return down(code, 'never')
  return answered(unforeseen(error, code), code)
}

const answered = (error: Error, reason: string): Verdict => ({ error, reason, connection: false, again: 'never' })

const down = (reason: string, again: Verdict['again'], cause: unknown = reason): Verdict => ({
  error: new VectorStoreError('database', { retryable: true, cause }),
  reason,
  connection: true,
  again,
})

/** A guard of our own functions: the message is a refusal's code, the detail its message and details as JSON. */
function guard(error: Answered): Refusal | Replay {
  const { message, ...details } = JSON.parse(error.said.detail ?? '{}') as { message?: string } & Details
  if (error.message === 'replay') return new Replay((details.targets ?? []) as ReplayTarget[])
  return new Refusal(error.message as Code, message ?? error.message, details)
}

/**
 * Postgres quotes values in most messages and details; those of class 42 quote only the statement's own text, and a
 * mistake in a statement cannot be found without them.
 */
function unforeseen({ message, said: { table, column, constraint, routine } }: Answered, code: string): SqlError {
  const where = [table, column, constraint].filter(Boolean).join('.')
  const why = code.startsWith('42') ? `: ${message}` : routine ? ` (${routine})` : ''
  return new SqlError(code, `SQLSTATE ${code}${where && ` on ${where}`}${why}`, constraint ?? null)
}
