import { Refusal } from './refusal.ts'

/** The caller hung up: nobody is left to answer. */
export class CallerGone extends Error {
  override readonly name = 'CallerGone'
}

/**
 * Runs `work` until it ends, `ms` have passed (`timeout`) or the caller has gone (`CallerGone`), and tells it by its signal.
 * Work that goes on all the same is left alone: a write may still land.
 */
export async function withDeadline<T>(ms: number, caller: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const stopped = Promise.withResolvers<never>()
  const stop = (reason: Error) => {
    controller.abort(reason)
    stopped.reject(reason)
  }
  const leave = () => stop(new CallerGone())
  const timer = setTimeout(() => stop(late(ms)), ms)
  caller.addEventListener('abort', leave, { once: true })
  if (caller.aborted) leave()
  try {
    return await Promise.race([work(controller.signal), stopped.promise])
  } finally {
    clearTimeout(timer)
    caller.removeEventListener('abort', leave)
  }
}

const late = (ms: number): Refusal =>
  new Refusal(
    'timeout',
    `There was no answer within ${ms} ms. A write may still have happened: send it again with the same Idempotency-Key.`,
  )
