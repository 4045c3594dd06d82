import { repair } from '@twofold/core/consistency/repair.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { timed } from '../measure.ts'
import { look } from './cost.ts'

export const DIFFERENCES = [1, 10, 100, 1_000] as const
export const ROUNDS = 3

/** Milliseconds, the least of some rounds: of finding so many differences in so many memories, and of repairing them. */
export interface Repair {
  memories: number
  differences: number
  found: number
  repaired: number
}

/** Changes what the graph shows of these by hand. */
export type Damage = (ids: readonly string[]) => Promise<unknown>

export async function repairs(deps: Deps, tenant: string, ids: readonly string[], damage: Damage): Promise<Repair[]> {
  const done: Repair[] = []
  for (const differences of DIFFERENCES) {
    const rounds: { found: number; repaired: number }[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const apart = Math.floor(ids.length / differences)
      await damage(Array.from({ length: differences }, (_, i) => ids[(i * apart + round) % ids.length] as string))
      const found = await timed(() => look(deps, tenant))
      if (found.value.length !== differences) throw new Error(`${found.value.length} differences found where ${differences} were made`)
      const repaired = await timed(() => deps.graph.session('reuse', (session) => repair(deps, tenant, found.value, { session })))
      if (repaired.value.repaired.length !== differences) throw new Error(`${repaired.value.repaired.length} of ${differences} repaired`)
      rounds.push({ found: found.ms, repaired: repaired.ms })
    }
    const least = (name: 'found' | 'repaired') => Math.min(...rounds.map((round) => round[name]))
    done.push({ memories: ids.length, differences, found: least('found'), repaired: least('repaired') })
  }
  return done
}
