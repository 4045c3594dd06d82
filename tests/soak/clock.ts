import type { GraphPort } from '@twofold/core/graph/port.ts'
import type { Database, Settings } from '@twofold/core/ports.ts'
import { settings as usual } from '../graph/world.ts'

/** The time of a run: it passes as its stores are called, and as its commands say. */
export class Clock {
  #time = Date.parse('2026-03-01T12:00:00Z')
  readonly now = () => new Date(this.#time)
  pass(ms: number): void {
    this.#time += ms
  }
}

export const settings: Settings = {
  ...usual,
  // Real time: nothing here takes any.
  modelDeadlineMs: 600_000,
  batchModelDeadlineMs: 600_000,
  // The run's: a few calls, since those who wait sleep between them.
  graphDeadlineMs: 60,
  leaseMs: 30_000,
}

export interface Stores {
  db: Database
  graph: GraphPort
}
