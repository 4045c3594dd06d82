import type { GraphPort } from '@twofold/core/graph/port.ts'
import { byTurns, latency, timed } from '../measure.ts'
import { applyAll } from './batched.ts'
import { projections } from './given.ts'

export const SIZES = [50, 200, 500, 1_000] as const
const MEMORIES = 1_000

/** So many rows in one transaction: how long 1,000 rows take in all, and one transaction, in milliseconds, medians. */
export interface Size {
  rows: number
  perThousand: number
  transaction: number
}

export async function sizes(graph: GraphPort, tenant: () => Promise<string>): Promise<Size[]> {
  const asks = Object.fromEntries(
    SIZES.map((rows) => [
      String(rows),
      async () => {
        const [owner, batch] = [await tenant(), projections(MEMORIES)]
        const { ms } = await timed(() => applyAll(graph, owner, batch, rows))
        taken.get(rows)?.push(ms)
      },
    ]),
  )
  const taken = new Map<number, number[]>(SIZES.map((rows) => [rows, []]))
  await byTurns(asks, { rounds: 5, warm: 1 })
  return SIZES.map((rows) => {
    const all = latency((taken.get(rows) as number[]).slice(1)).p50
    const transactions = Math.ceil((MEMORIES * 3) / rows)
    return { rows, perThousand: all / ((MEMORIES * 3) / 1_000), transaction: all / transactions }
  })
}
