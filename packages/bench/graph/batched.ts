import { catchUp } from '@twofold/core/graph/catch-up.ts'
import type { GraphPort, Projection } from '@twofold/core/graph/port.ts'
import { MOST_ROWS } from '@twofold/core/graph/project.ts'
import { byTurns, latency, timed } from '../measure.ts'
import { perOperation as operationByOperation, unwound } from './by-hand.ts'
import { givenMany, projections, slices } from './given.ts'
import type { Inside } from './stores.ts'
import type { Witness } from './witness.ts'

export const MEMORIES = 500

/** Milliseconds, medians, for 500 memories with two entities each, brought into an empty tenant's graph. */
export interface Batched {
  /** All of the graph's part, in sessions and transactions as `project` has them, by turns with one statement written by hand, */
  byHand: { rounds: number; applied: number; unwound: number }
  /** and by turns with a session for each operation. */
  byOperation: { rounds: number; applied: number; perOperation: number }
  /** From rows owed in Postgres to rows settled there; of that, in the graph. */
  projected: number
  projectedGraph: number
}

/** A memory and its two entities. */
const ROWS_EACH = 3
const ROUNDS = { byHand: 41, byOperation: 7, projected: 11 }
/** A database that compiles as it runs needs many. */
const WARM = 60

export async function batched(inside: Inside, witness: Witness, say: (line: string) => void): Promise<Batched> {
  const { deps } = inside
  const made = () => ({ tenant: deps.id(), batch: projections(MEMORIES) })
  // Made before the turn, because what is made is not what is measured.
  const given = { applied: [made()], unwound: [made()], perOperation: [made()] }
  const next = async (name: keyof typeof given) => given[name].pop() as ReturnType<typeof made>
  const rest = async () => {
    for (const list of Object.values(given)) if (list.length === 0) list.push(made())
  }
  const asks = {
    applied: async () => {
      const { tenant, batch } = await next('applied')
      await applyAll(deps.graph, tenant, batch, MOST_ROWS)
    },
    unwound: async () => {
      const { tenant, batch } = await next('unwound')
      await unwound(witness.driver, tenant, batch, Math.ceil(MOST_ROWS / ROWS_EACH))
    },
  }
  const perOperation = async () => {
    const { tenant, batch } = await next('perOperation')
    await operationByOperation(witness.driver, tenant, batch)
  }
  say('500 memories beside one statement by hand')
  const hand = await byTurns(asks, { rounds: ROUNDS.byHand, warm: WARM, rest })
  say('500 memories beside a session for each operation')
  const each = await byTurns({ applied: asks.applied, perOperation }, { rounds: ROUNDS.byOperation, warm: 1, rest })
  say('500 memories from Postgres')
  const projected = await project(inside)
  const p50 = (samples: number[]) => latency(samples).p50
  return {
    byHand: { rounds: ROUNDS.byHand, applied: p50(hand.applied), unwound: p50(hand.unwound) },
    byOperation: { rounds: ROUNDS.byOperation, applied: p50(each.applied), perOperation: p50(each.perOperation) },
    projected: p50(projected.map(({ all }) => all)),
    projectedGraph: p50(projected.map(({ graph }) => graph)),
  }
}

/** As `project` does it: one session, a transaction for each slice. */
export const applyAll = (graph: GraphPort, tenant: string, batch: readonly Projection[], rows: number): Promise<void> =>
  graph.session('reuse', async (session) => {
    for (const slice of slices(batch, rows)) await graph.apply(tenant, slice, { generations: [1], session })
  })

async function project(inside: Inside): Promise<{ all: number; graph: number }[]> {
  const took: { all: number; graph: number }[] = []
  let graph = 0
  const apply: GraphPort['apply'] = async (...given) => {
    const { ms } = await timed(() => inside.deps.graph.apply(...given))
    graph += ms
  }
  const deps = { ...inside.deps, graph: Object.assign(Object.create(inside.deps.graph) as GraphPort, { apply }) }
  for (let round = 0; round < ROUNDS.projected + 1; round++) {
    const { id, client } = await inside.tenant()
    for (let i = 0; i < MEMORIES; i += 250) await client.send('POST', '/v1/memories/batch', givenMany(i, 250))
    graph = 0
    const { ms } = await timed(() => catchUp(deps, id, new Date(Date.now() + 60_000)))
    if (round > 0) took.push({ all: ms, graph })
  }
  return took
}
