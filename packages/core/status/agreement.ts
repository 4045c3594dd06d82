import * as z from 'zod-own'
import { GraphStoreError } from '../failures.ts'
import { readGeneration } from '../graph/query.sql.ts'
import type { Deps, Rows } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'

/** What is owed for longer than this is no longer on its way, it is late. */
export const LATE_MS = 60_000

const UNKNOWN = 'Null while the graph cannot be reached: nobody knows then.'

/** How far the two stores agree, counted in them. */
export const Agreement = z.object({
  vectorStoreCount: z.number(),
  graphStoreCount: z.number().nullable().meta({ description: UNKNOWN }),
  syncPercentage: z
    .number()
    .nullable()
    .meta({ description: `Memories that both stores have, of 100. ${UNKNOWN}` }),
})
export type Agreement = z.infer<typeof Agreement>

interface Counts {
  memories: number
  vectors: number
  /** Shown by the graph as well, beside what is live. */
  superseded: number
}

const counts = (model: string): Statement<Counts> => sql<Counts>`
  select
    (select count(*) from readable_memories m where m.tenant_id = current_tenant() and m.deleted_at is null)::int as memories,
    (select count(*) from embeddings e where e.tenant_id = current_tenant() and e.model = ${model} and e.live)::int as vectors,
    (select count(*) from memories m where m.tenant_id = current_tenant() and m.superseded_by is not null)::int as superseded`

/** What `agreementOf` needs to know from Postgres. */
export const inPostgres = (deps: Pick<Deps, 'embedder'>) => [counts(deps.embedder.model), readGeneration] as const

/** Counts the tenant's memories in the graph too, which is not asked where the deployment has none. */
export async function agreementOf(
  deps: Pick<Deps, 'graph' | 'settings'>,
  tenant: string,
  [[count], [state]]: Rows<ReturnType<typeof inPostgres>>,
): Promise<Agreement & { memories: number }> {
  const { memories = 0, vectors = 0, superseded = 0 } = count ?? {}
  const { graphEnabled, graphDeadlineMs: timeoutMs } = deps.settings
  const nodes = graphEnabled ? await countGraph(deps, tenant, state?.generations ?? [], timeoutMs) : 0
  const inGraph = nodes && Math.max(0, nodes - superseded)
  return {
    memories,
    vectorStoreCount: vectors,
    graphStoreCount: inGraph,
    syncPercentage: inGraph === null ? null : share(graphEnabled ? Math.min(vectors, inGraph) : vectors, memories),
  }
}

async function countGraph({ graph }: Pick<Deps, 'graph'>, tenant: string, generations: readonly number[], timeoutMs: number) {
  try {
    return (await graph.counts(tenant, { generations, timeoutMs })).memories
  } catch (error) {
    if (error instanceof GraphStoreError) return null
    throw error
  }
}

/** In percent with two decimals, rounded down, so that 100 means all; an empty tenant agrees. */
export const share = (both: number, memories: number): number =>
  memories === 0 ? 100 : Math.min(100, Math.floor((both * 10_000) / memories) / 100)
