import { ExponentialBackoff, fullJitterGenerator, handleWhen, retry as policy } from 'cockatiel'

export interface RetrySettings {
  /** How often the work is tried in all. */
  attempts: number
  /** The longest first pause; doubled for each further one, and each drawn at random between 0 and that (full jitter). */
  delayMs: number
}

export interface Retrying {
  /** Whether this error may pass and repeating does no harm. */
  again(error: unknown): boolean
  /** Told before each pause. */
  onRetry(error: unknown): void
}

/** Runs `work` again while that may help, and throws its last error. */
export async function retry<T>(settings: RetrySettings, { again, onRetry }: Retrying, work: () => Promise<T>): Promise<T> {
  const tries = policy(handleWhen(again), {
    maxAttempts: settings.attempts - 1,
    backoff: new ExponentialBackoff({ initialDelay: settings.delayMs, generator: fullJitterGenerator }),
  })
  tries.onRetry((reason) => onRetry('error' in reason ? reason.error : undefined))
  return tries.execute(work)
}
