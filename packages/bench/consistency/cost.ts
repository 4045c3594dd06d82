import { check } from '@twofold/core/consistency/check.ts'
import type { Difference } from '@twofold/core/consistency/difference.ts'
import { truthOfThese } from '@twofold/core/consistency/ledger.sql.ts'
import { scopeOf } from '@twofold/core/consistency/scope.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { byTurns, latency } from '../measure.ts'

export const ROUNDS = 10
const WARM = 2
/** Memories that are read one by one. */
export const READ = 1_000

/** Milliseconds, medians of turns; the reading for all memories, scaled. */
export interface Cost {
  memories: number
  check: number
  bare: { postgres: number; graph: number }
  reading: number
}

export type Bare = Record<keyof Cost['bare'], () => Promise<unknown>>

/** All that a check of the whole tenant finds. */
export const look = (deps: Deps, tenant: string, deep = false): Promise<Difference[]> =>
  deps.graph.session('reuse', async (session) => {
    const found: Difference[] = []
    const looking = { scope: scopeOf(['*']), deep, from: 0, session, timeoutMs: 300_000 }
    for await (const { differences } of check(deps, tenant, looking)) found.push(...differences)
    return found
  })

/** A check that finds nothing, beside the least that anybody could ask of both stores, and beside reading each memory from both. */
export async function cost(deps: Deps, tenant: string, ids: readonly string[], bare: Bare): Promise<Cost> {
  const inSync = async () => {
    const found = await look(deps, tenant)
    if (found.length > 0) throw new Error(`${found.length} differences where there should be none`)
  }
  const apart = Math.floor(ids.length / READ)
  const sample = Array.from({ length: READ }, (_, i) => ids[i * apart] as string)
  const turn = Math.ceil(READ / ROUNDS)
  const reading = (round: number) => readEach(deps, tenant, sample.slice(turn * Math.max(0, round - WARM)).slice(0, turn))
  const took = await byTurns({ check: inSync, ...bare, reading }, { rounds: ROUNDS, warm: WARM })
  const p50 = (name: keyof typeof took) => latency(took[name]).p50
  return {
    memories: ids.length,
    check: p50('check'),
    bare: { postgres: p50('postgres'), graph: p50('graph') },
    reading: (took.reading.reduce((sum, ms) => sum + ms, 0) * ids.length) / READ,
  }
}

/** One after the other, what Postgres says of a memory and what the graph holds of it. */
const readEach = (deps: Deps, tenant: string, ids: readonly string[]): Promise<void> =>
  deps.graph.session('reuse', async (session) => {
    for (const id of ids) {
      await deps.db.asTenant(tenant, [truthOfThese([id], deps.now().toISOString())])
      await deps.graph.held(tenant, { ids: [id] }, { generations: [1], session })
    }
  })
