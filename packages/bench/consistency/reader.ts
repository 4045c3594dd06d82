import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { neo4jGraph } from '@twofold/graph/neo4j/graph.ts'
import type { Neo4jPlace } from '../graph/stores.ts'
import { timed } from '../measure.ts'

interface Reading {
  place: Neo4jPlace
  tenant: string
  starts: readonly string[]
}

/** Between two questions: a reader asks, and does something with the answer. */
const PAUSE_MS = 5
const EVERYTHING = [{ low: '', high: '\u{10FFFF}' }]

/** Somebody who walks the graph all the time, on a thread of his own. */
export interface Reader {
  /** The milliseconds of each walk since it was asked last; those that follow go through this generation. */
  samples(generation?: number): Promise<number[]>
  close(): Promise<unknown>
}

export function openReader(reading: Reading): Reader {
  const worker = new Worker(new URL(import.meta.url), { workerData: reading })
  return {
    samples: (generation = 1) =>
      new Promise((done, failed) => {
        worker.once('error', failed)
        worker.once('message', (samples: number[]) => {
          worker.off('error', failed)
          done(samples)
        })
        worker.postMessage(generation)
      }),
    close: () => worker.terminate(),
  }
}

async function read({ place, tenant, starts }: Reading): Promise<void> {
  const graph = neo4jGraph({
    ...{ ...place, database: 'neo4j', pool: { min: 1, max: 2 }, now: () => new Date(), log: { info() {}, warn() {}, error() {} } },
    ...{ breaker: { failures: 3, recoveryMs: 45_000 }, retry: { attempts: 3, delayMs: 50 } },
  })
  await graph.warmed
  let [samples, generation]: [number[], number] = [[], 1]
  parentPort?.on('message', (following: number) => {
    generation = following
    parentPort?.postMessage(samples)
    samples = []
  })
  for (let i = 0; ; i++) {
    const start = [starts[i % starts.length] as string]
    const walk = { start, ranges: EVERYTHING, via: [], direction: 'both', hops: 2, limit: 50 } as const
    const { ms } = await timed(() => graph.traverse(tenant, walk, { generations: [generation] }))
    samples.push(ms)
    await sleep(PAUSE_MS)
  }
}

if (parentPort) await read(workerData as Reading)
