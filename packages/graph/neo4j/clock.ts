import type { Limits } from '../session.ts'

/** What a call may take when nobody says how long. */
const LONGEST_MS = 10_000

/**
 * What is left for a call. The server is told the same, and looks every two seconds (`db.transaction.monitor.check.interval`)
 * what is over time; before that, it is the reset that ends it.
 */
export class Clock {
  readonly signal: AbortSignal
  readonly #end: number

  constructor({ signal, timeoutMs = LONGEST_MS }: Limits) {
    const ms = Math.max(1, Math.ceil(timeoutMs))
    this.#end = performance.now() + ms
    const deadline = AbortSignal.timeout(ms)
    this.signal = signal ? AbortSignal.any([signal, deadline]) : deadline
  }

  get left(): number {
    return Math.max(1, Math.floor(this.#end - performance.now()))
  }
}

/** The driver cannot be told to stop waiting. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', abort))
}
