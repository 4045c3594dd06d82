import { repair } from '@twofold/core/consistency/repair.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { timed } from '../measure.ts'
import { look } from './cost.ts'

export const DIFFERENCES = [1, 10, 100, 1_000] as const
export const ROUNDS = 5

/** Milliseconds, the least of some rounds: of finding so many differences in so many memories, and of repairing them. */
export interface Repair {
  memories: number
  differences: number
  found: number
  repaired: number
}

/** Changes what the graph shows of these by hand. */
export type Damage = (ids: readonly string[]) => Promise<unknown>

/** A tenant with its memories. */
export interface Filled {
  tenant: string
  ids: readonly string[]
  damage: Damage
}

/** In each of these by turns, so that whatever else the machine does meanwhile slows every size alike. */
export async function repairs(deps: Deps, sizes: readonly Filled[]): Promise<Repair[][]> {
  const done: Repair[][] = sizes.map(() => [])
  for (const differences of DIFFERENCES) {
    const rounds: Pick<Repair, 'found' | 'repaired'>[][] = sizes.map(() => [])
    for (let round = 0; round < ROUNDS; round++)
      for (const [i, filled] of sizes.entries()) rounds[i]?.push(await repairOnce(deps, filled, differences, round))
    for (const [i, { ids }] of sizes.entries()) {
      const least = (name: 'found' | 'repaired') => Math.min(...(rounds[i] ?? []).map((round) => round[name]))
      done[i]?.push({ memories: ids.length, differences, found: least('found'), repaired: least('repaired') })
    }
  }
  return done
}

async function repairOnce(deps: Deps, { tenant, ids, damage }: Filled, differences: number, round: number) {
  const apart = Math.floor(ids.length / differences)
  await damage(Array.from({ length: differences }, (_, i) => ids[(i * apart + round) % ids.length] as string))
  const found = await timed(() => look(deps, tenant))
  if (found.value.length !== differences) throw new Error(`${found.value.length} differences found where ${differences} were made`)
  const repaired = await timed(() => deps.graph.session('reuse', (session) => repair(deps, tenant, found.value, { session })))
  if (repaired.value.repaired.length !== differences) throw new Error(`${repaired.value.repaired.length} of ${differences} repaired`)
  return { found: found.ms, repaired: repaired.ms }
}
