import { setTimeout as sleep } from 'node:timers/promises'
import { clientOf } from './client.ts'
import { launch, type Running } from './launch.ts'

export interface Start {
  /** From the start of the process until it said that it is ready, in milliseconds. */
  readyMs: number
  /** Resident memory ten seconds later, in bytes. */
  resident: number
}

const SETTLED_MS = 10_000

/** Starts the service and lets it settle: what it needs at rest is what a laptop notices. */
export async function start(home: string): Promise<Start & { running: Running }> {
  const running = await launch(home)
  await sleep(SETTLED_MS)
  return { running, readyMs: running.startedMs, resident: await clientOf(running).resident() }
}
