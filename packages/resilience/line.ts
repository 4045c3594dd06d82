import { bulkhead } from 'cockatiel'

/** Where so many find a place at a time, and the others wait in the order in which they came. */
export interface Line {
  /** Runs `work` as soon as there is a place; rejects without running it when `signal` has aborted by then. */
  wait<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

export function line(places: number): Line {
  const policy = bulkhead(places, Number.POSITIVE_INFINITY)
  return { wait: (work, signal) => policy.execute(work, signal) }
}
