import type { StoreHealth } from '@twofold/core/ports.ts'
import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleAll } from 'cockatiel'

export { isBrokenCircuitError } from 'cockatiel'

export interface BreakerSettings {
  /** Failures in a row that open it. */
  failures: number
  /** How long it stays open before one call may try again. */
  recoveryMs: number
}

export interface Breaker {
  /** Runs `work`, or throws a `BrokenCircuitError` at once while open. */
  run<T>(work: () => Promise<T>): Promise<T>
  readonly state: StoreHealth['breaker']
}

const NAMES = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Isolated]: 'open',
} as const

/**
 * Stops asking a store that does not answer. Only errors that `isFailure` names count; any other error is an answer,
 * so it closes the circuit as a success does (a store that refuses a statement is up).
 */
export function breaker(settings: BreakerSettings, isFailure: (error: unknown) => boolean): Breaker {
  const circuit = circuitBreaker(handleAll, { halfOpenAfter: settings.recoveryMs, breaker: new ConsecutiveBreaker(settings.failures) })
  return {
    async run<T>(work: () => Promise<T>): Promise<T> {
      const outcome = await circuit.execute(() => answered(work, isFailure))
      if ('error' in outcome) throw outcome.error
      return outcome.value
    },
    get state() {
      return NAMES[circuit.state]
    },
  }
}

async function answered<T>(work: () => Promise<T>, isFailure: (error: unknown) => boolean): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await work() }
  } catch (error) {
    if (isFailure(error)) throw error
    return { error }
  }
}
