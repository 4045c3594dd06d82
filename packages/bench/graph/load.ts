import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { raw } from '@twofold/core/sql.ts'
import { type Endpoint, sender } from '@twofold/postgres/endpoint.ts'
import { clientOf } from '../client.ts'
import { launch } from '../launch.ts'
import { type Latency, latency } from '../measure.ts'
import { given } from './given.ts'
import { neo4jVariables, type Servers } from './stores.ts'
import type { Witness } from './witness.ts'

export const WRITERS = 16

export interface Load {
  seconds: number
  memories: number
  /** Until the answer, in milliseconds. */
  answered: Latency
  /** Of any kind, until nothing is owed any more, for each memory. */
  transactionsEach: number
  /** From the answer until the ledger notes that the graph shows it, in milliseconds; 0 when it did before. */
  lag: Latency & { most: number }
  /** Until the graph had everything, after the last answer, in milliseconds. */
  quietMs: number
}

/** Writes that are not counted: the process compiles, connects, makes labels and plans. */
const WARM = 1_000

/** The service as a process of its own on native servers; writers ask over HTTP, each its next as soon as it has an answer. */
export async function load(servers: Servers, witness: Witness, home: string, seconds: number): Promise<Load> {
  const running = await launch(home, { DATABASE_URL: await servers.database(), ...neo4jVariables(servers.neo4j), LOG_LEVEL: 'warn' })
  try {
    const client = clientOf(running)
    let next = 0
    const acknowledged = new Map<string, number>()
    const took: number[] = []
    const write = async (going: () => boolean) => {
      while (going()) {
        const start = performance.now()
        const { memory } = await client.send('POST', '/v1/memories', given(next++))
        took.push(performance.now() - start)
        acknowledged.set(memory.id, Date.now())
      }
    }
    const all = (going: () => boolean) => Promise.all(Array.from({ length: WRITERS }, () => write(going)))
    await all(() => next < WARM)
    await client.quiet()
    await sleep(2_000)
    acknowledged.clear()
    took.length = 0
    const before = await witness.transactions()
    const begun = performance.now()
    await all(() => performance.now() - begun < seconds * 1_000)
    const ended = performance.now()
    const ledger = ledgerOf(running.database)
    while ((await ledger.owed()) > 0) await sleep(20)
    const quietMs = performance.now() - ended
    const transactions = (await witness.transactions()) - before - 1
    const shown = await ledger.shown()
    const lags = [...acknowledged].map(([id, at]) => Math.max(0, (shown.get(id) as number) - at))
    return {
      seconds: (ended - begun) / 1_000,
      memories: acknowledged.size,
      answered: latency(took),
      transactionsEach: transactions / acknowledged.size,
      lag: { ...latency(lags), most: Math.max(...lags) },
      quietMs,
    }
  } finally {
    await running.stop()
    await rm(home, { recursive: true, force: true })
  }
}

/** The ledger, asked past the service, which would ask the graph. */
function ledgerOf(database: Endpoint) {
  const send = sender(database)
  const ask = async (text: string) => (await send([raw(text)], new AbortController().signal))[0] ?? []
  return {
    owed: async () => Number((await ask('select count(*)::int as owed from twofold.ledger where revision <> shown'))[0]?.owed),
    /** When the graph was seen to show each memory. */
    async shown() {
      const rows = await ask(`select id, extract(epoch from shown_at) * 1000 as at from twofold.ledger where kind = 'memory'`)
      return new Map(rows.map(({ id, at }) => [id as string, Number(at)]))
    },
  }
}
