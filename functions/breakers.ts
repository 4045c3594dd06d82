import type { Env } from './env.ts'

/** Failures in a row after which a store is left alone, and for how long. */
export const BREAKERS = {
  postgres: { failures: 5, recoveryMs: 30_000 },
  redis: { failures: 3, recoveryMs: 10_000 },
  neo4j: { failures: 3, recoveryMs: 45_000 },
}

export const retryOf = (env: Env) => ({ attempts: env.RETRY_ATTEMPTS, delayMs: env.RETRY_DELAY_MS })
