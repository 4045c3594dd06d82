import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import { countDrift } from '../consistency/drift.sql.ts'
import { graphStanding } from '../graph/lag.sql.ts'
import { parkedRows } from '../graph/parked.sql.ts'
import { Parked } from '../graph/parked.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { Agreement, agreementOf, inPostgres, LATE_MS } from './agreement.ts'

const Health = z
  .object({
    available: z.boolean(),
    healthy: z.boolean(),
    lastCheck: z.string(),
    breaker: z.enum(['closed', 'open', 'half-open']),
    disabled: z.boolean().optional(),
  })
  .meta({ id: 'StoreHealth' })

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
  conversations: z.object({ count: z.number(), turns: z.number() }).meta({ description: 'Those that have not expired.' }),
  parked: z.array(Parked).meta({
    description: 'Dead letters: what the graph refused in every attempt, longest first, at most ten of those that the key may see.',
  }),
})
export type Status = z.infer<typeof Status>

/** Parked things that are named. */
const MOST_PARKED = 10

interface Owing {
  embeddings: number
  entities: number
  /** Since when the longest waiting memory owes one of them. */
  oldest: string | null
}

const owing: Statement<Owing> = sql<Owing>`
  select count(*) filter (where m.owes_embedding)::int as embeddings, count(*) filter (where m.owes_entities)::int as entities, iso(min(m.updated_at)) as oldest
  from memories m
  where m.tenant_id = current_tenant() and (m.owes_embedding or m.owes_entities) and m.deleted_at is null and m.pending_until is null`

const conversations = (now: string): Statement<Status['conversations']> => sql<Status['conversations']>`
  select (select count(*) from conversations c where c.tenant_id = current_tenant() and c.expires_at > ${now}::timestamptz)::int as count,
    (select count(*) from turns u where u.tenant_id = current_tenant() and u.expires_at > ${now}::timestamptz)::int as turns`

/**
 * How the tenant's two stores stand to each other, counted in the stores in this request, and how the stores themselves
 * are. Healthy is only what has every store, no drift, nothing parked, and owes nothing for longer than a minute.
 */
export async function status(deps: Deps, caller: Caller): Promise<Status> {
  const { graphEnabled } = deps.settings
  const { authorized, rows } = await deps.db.asCaller(caller, null, [
    ...inPostgres(deps),
    owing,
    graphStanding,
    countDrift,
    parkedRows(MOST_PARKED),
    conversations(deps.now().toISOString()),
  ])
  const [counted, generation, [owed], [inLedger], [drift], parked, [talk]] = rows
  // A graph that is switched off is owed nothing, whatever the ledger notes of entities.
  const standing = graphEnabled ? inLedger : undefined
  const [vectorStore, graphStore, cache, { memories, ...sync }] = await Promise.all([
    deps.db.health(),
    deps.graph.health(),
    deps.cache.health(),
    agreementOf(deps, authorized.tenant, [counted, generation]),
  ])
  const since = [standing?.oldest_owed, owed?.oldest].flatMap((time) => (time ? [Date.parse(time)] : []))
  const oldestOwedMs = Math.max(0, ...since.map((time) => deps.now().getTime() - time))
  const late = oldestOwedMs > LATE_MS || (standing?.parked ?? 0) > 0
  const drifts = graphEnabled && (drift?.open ?? 0) > 0
  const fine = [vectorStore, graphStore, cache].every((store) => store.disabled || store.healthy) && sync.syncPercentage !== null
  return {
    status: vectorStore.available ? (fine && !late && !drifts ? 'healthy' : 'degraded') : 'unhealthy',
    stores: { vectorStore, graphStore, cache },
    mode: graphStore.available || graphStore.disabled ? 'normal' : 'essential-only',
    metrics: {
      ...sync,
      totalMemories: memories,
      owedGraphWrites: standing?.owed ?? 0,
      owedEmbeddings: owed?.embeddings ?? 0,
      owedEntities: owed?.entities ?? 0,
      oldestOwedMs,
      deadLetters: standing?.parked ?? 0,
    },
    sync,
    conversations: talk ?? { count: 0, turns: 0 },
    parked: graphEnabled ? parked : [],
  }
}
