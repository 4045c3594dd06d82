import type { Caller } from '@twofold/operation/caller.ts'
import { z } from 'zod'
import { countDrift } from '../consistency/drift.sql.ts'
import { GraphStoreError } from '../failures.ts'
import { graphStanding } from '../graph/lag.sql.ts'
import { readGeneration } from '../graph/query.sql.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'

const Health = z
  .object({
    available: z.boolean(),
    healthy: z.boolean(),
    lastCheck: z.string(),
    breaker: z.enum(['closed', 'open', 'half-open']),
    disabled: z.boolean().optional(),
  })
  .meta({ id: 'StoreHealth' })

export const Agreement = z.object({ vectorStoreCount: z.number(), graphStoreCount: z.number(), syncPercentage: z.number() })

export const Status = z.object({
  status: z.enum(['healthy', 'degraded', 'unhealthy']),
  stores: z.object({ vectorStore: Health, graphStore: Health, cache: Health }),
  mode: z.enum(['normal', 'cache-only', 'reduced-precision', 'essential-only']),
  metrics: Agreement.extend({
    totalMemories: z.number(),
    owedGraphWrites: z.number(),
    owedEmbeddings: z.number(),
    owedEntities: z.number(),
    oldestOwedMs: z.number(),
    deadLetters: z.number().meta({ description: 'Graph writes that used up their attempts.' }),
  }),
  sync: Agreement,
})
export type Status = z.infer<typeof Status>

/** What is owed for longer than this is no longer on its way, it is late. */
const LATE_MS = 60_000

interface Counts {
  memories: number
  vectors: number
  owed_embeddings: number
  owed_entities: number
}

const counts = (model: string): Statement<Counts> => sql<Counts>`
  select
    (select count(*) from readable_memories m where m.tenant_id = current_tenant() and m.deleted_at is null)::int as memories,
    (select count(*) from embeddings e where e.tenant_id = current_tenant() and e.model = ${model} and e.live)::int as vectors,
    (select count(*) from memories m where m.tenant_id = current_tenant() and m.owes_embedding and m.deleted_at is null)::int as owed_embeddings,
    (select count(*) from memories m where m.tenant_id = current_tenant() and m.owes_entities and m.deleted_at is null)::int as owed_entities`

/** How the tenant's two stores stand to each other, counted in the stores in this request, and how the stores themselves are. */
export async function status(deps: Deps, caller: Caller): Promise<Status> {
  const { authorized, rows } = await deps.db.asCaller(caller, null, [
    counts(deps.embedder.model),
    graphStanding,
    readGeneration,
    countDrift,
  ])
  const [[count], [inLedger], [state], [drift]] = rows
  // A graph that is switched off is owed nothing, whatever the ledger notes of entities.
  const standing = deps.settings.graphEnabled ? inLedger : undefined
  const [vectorStore, graphStore, cache, inGraph] = await Promise.all([
    deps.db.health(),
    deps.graph.health(),
    deps.cache.health(),
    countGraph(deps, authorized.tenant, state?.generations ?? []),
  ])
  const { memories = 0, vectors = 0, owed_embeddings = 0, owed_entities = 0 } = count ?? {}
  const oldest = standing?.oldest_owed
  const oldestOwedMs = oldest ? Math.max(0, deps.now().getTime() - Date.parse(oldest)) : 0
  const sync = {
    vectorStoreCount: vectors,
    graphStoreCount: inGraph,
    syncPercentage: agreement(memories, vectors, deps.settings.graphEnabled ? inGraph : vectors),
  }
  const late = oldestOwedMs > LATE_MS || (standing?.parked ?? 0) > 0
  const drifts = deps.settings.graphEnabled && (drift?.open ?? 0) > 0
  const fine = [vectorStore, graphStore, cache].every((store) => store.disabled || store.healthy)
  return {
    status: vectorStore.available ? (fine && !late && !drifts ? 'healthy' : 'degraded') : 'unhealthy',
    stores: { vectorStore, graphStore, cache },
    mode: graphStore.available || graphStore.disabled ? 'normal' : 'essential-only',
    metrics: {
      ...sync,
      totalMemories: memories,
      owedGraphWrites: standing?.owed ?? 0,
      owedEmbeddings: owed_embeddings,
      owedEntities: owed_entities,
      oldestOwedMs,
      deadLetters: standing?.parked ?? 0,
    },
    sync,
  }
}

async function countGraph(deps: Deps, tenant: string, generations: readonly number[]): Promise<number> {
  if (!deps.settings.graphEnabled) return 0
  try {
    return (await deps.graph.counts(tenant, { generations, timeoutMs: deps.settings.graphDeadlineMs })).memories
  } catch (error) {
    if (error instanceof GraphStoreError) return 0
    throw error
  }
}

/** The share of memories that both stores have, in percent with two decimals; an empty tenant agrees. */
const agreement = (memories: number, vectors: number, inGraph: number): number =>
  memories === 0 ? 100 : Math.min(100, Math.round((Math.min(vectors, inGraph) / memories) * 10_000) / 100)
