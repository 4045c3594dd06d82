import type { Env } from './env.ts'

/** Failures in a row after which a store is left alone, and for how long unless the environment says. */
const BREAKERS = {
  postgres: { failures: 5, recoveryMs: 30_000 },
  redis: { failures: 3, recoveryMs: 10_000 },
  neo4j: { failures: 3, recoveryMs: 45_000 },
}

export const breakerOf = (env: Pick<Env, 'BREAKER_RECOVERY_MS'>, store: keyof typeof BREAKERS) => {
  const { failures, recoveryMs } = BREAKERS[store]
  return { failures, recoveryMs: env.BREAKER_RECOVERY_MS ?? recoveryMs }
}

export const retryOf = (env: Env) => ({ attempts: env.RETRY_ATTEMPTS, delayMs: env.RETRY_DELAY_MS })
