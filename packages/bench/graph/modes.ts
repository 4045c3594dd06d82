import type { GraphPort, Projection } from '@twofold/core/graph/port.ts'
import { byTurns, latency } from '../measure.ts'
import { projections } from './given.ts'

export const CALLS = [1, 10, 100] as const

/** Milliseconds a call, medians, for so many small calls one after the other. */
export interface Mode {
  calls: number
  single: number
  reuse: number
  atomic: number
}

/** Each call writes one node, what the smallest projection is. */
export async function modes(graph: GraphPort, tenant: () => string): Promise<Mode[]> {
  const found: Mode[] = []
  for (const calls of CALLS) {
    const batch = projections(Math.ceil(calls / 2))
      .filter(({ kind }) => kind === 'entity')
      .slice(0, calls)
    const each = async (options: object) => {
      const owner = tenant()
      for (const one of batch) await graph.apply(owner, [one] as Projection[], { generations: [1], ...options })
    }
    const asks = {
      single: () => each({}),
      reuse: () => graph.session('reuse', (session) => each({ session })),
      atomic: () => graph.session('atomic', (session) => each({ session })),
    }
    const took = await byTurns(asks, { rounds: calls === 100 ? 11 : 41, warm: 10 })
    const a = (name: keyof typeof asks) => latency(took[name]).p50 / calls
    found.push({ calls, single: a('single'), reuse: a('reuse'), atomic: a('atomic') })
  }
  return found
}
