import { setTimeout as sleep } from 'node:timers/promises'
import { BUCKETS } from '@twofold/core/consistency/check.ts'
import { beginRun } from '@twofold/core/consistency/run.sql.ts'
import { advance } from '@twofold/core/consistency/run.ts'
import type { Shown } from '@twofold/core/graph/port.ts'
import type { Driver } from 'neo4j-driver-lite'
import type { Inside, Neo4jPlace } from '../graph/stores.ts'
import { type Latency, latency, timed } from '../measure.ts'
import { openReader } from './reader.ts'
import { unwound } from './unwound.ts'

const QUIET_MS = 20_000
const STARTS = 500
/** How long each of the processes that a rebuild goes through works on it, far less than a function may: so exactly the end of filling is known. */
const SLICE_MS = 2_000
/** The first generation after the one that a tenant begins with. */
const REBUILT = 2
const OPTIONS = { limit: 100, dryRun: false, deep: false, adopt: false, clearExisting: true }

/** Of one graph: rows a second, and milliseconds of the walks of one reader. */
export interface Rebuild {
  memories: number
  rows: number
  edges: number
  /** Seconds: from asking for it until the new generation is read, of that for filling it; and of the same rows by hand. */
  whole: number
  filling: number
  byHand: number
  walks: Record<'quiet' | 'during', Latency>
}

/** Rebuilds the graph of a tenant while somebody reads it, and then writes the same rows by hand while the same reads it. */
export async function rebuild(
  { deps }: Inside,
  { driver, place }: { driver: Driver; place: Neo4jPlace },
  tenant: string,
  memories: readonly string[],
): Promise<Rebuild> {
  const reader = openReader({ place, tenant, starts: memories.slice(0, STARTS) })
  try {
    await sleep(QUIET_MS / 4)
    await reader.samples()
    await sleep(QUIET_MS)
    const quiet = latency(await reader.samples())
    let filling = 0
    const { ms: whole } = await timed(async () => {
      const since = performance.now()
      const run = { id: deps.id(), operation: 'rebuild', options: OPTIONS, prefixes: ['*'], asked_by: null, exclusive: true } as const
      await deps.db.asTenant(tenant, [beginRun({ ...run, prefixes: [...run.prefixes] }, null, deps.now().toISOString())])
      for (let ended = false; !ended; ) {
        const advanced = await advance(deps, tenant, run.id, { until: new Date(deps.now().getTime() + SLICE_MS) })
        if (!advanced || advanced.run.failure) throw new Error(`the rebuild did not go on: ${advanced?.run.failure}`)
        const { phase, ended_at } = advanced.run
        if (phase === 'begin' || phase === 'fill') filling = performance.now() - since
        ended = ended_at !== null
      }
    })
    const during = latency(await reader.samples(REBUILT))
    const rows: Shown[] = []
    for (let from = 0; from < BUCKETS; from += 64) {
      const buckets = Array.from({ length: 64 }, (_, i) => from + i)
      rows.push(...(await deps.graph.held(tenant, buckets, { generations: [REBUILT], timeoutMs: 60_000 })))
    }
    const { ms: byHand } = await timed(() => unwound(driver, deps.id(), rows))
    return {
      ...{ memories: memories.length, rows: rows.length, edges: rows.reduce((sum, { edges }) => sum + edges.length, 0) },
      ...{ whole: whole / 1_000, filling: filling / 1_000, byHand: byHand / 1_000, walks: { quiet, during } },
    }
  } finally {
    await reader.close()
  }
}
