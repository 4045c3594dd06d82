import type { Caller } from '@twofold/operation/caller.ts'
import { GraphStoreError } from '../failures.ts'
import { introduce } from '../keys/introduce.ts'
import { exactly, granted, subjectOf } from '../namespaces/namespace.ts'
import type { Deps, Range } from '../ports.ts'
import { sql } from '../sql.ts'
import { queryTerms } from '../text/words.ts'
import { unit } from './draft.ts'
import { expand } from './expand.ts'
import { filterSql } from './filter.ts'
import { type Gathering, gather, gatherAsOf, type RecallRow, searching, type Weights } from './recall.sql.ts'
import type { InSession } from './remember.ts'
import { type RecallQuery, SearchQuery, type SearchResult } from './search.ts'
import { embedTexts } from './understand.ts'
import { vectorText } from './write.sql.ts'

/**
 * Vector and words count the same: on LoCoMo the sum of both, each normalised, finds more than either and than rank
 * fusion, and hardly changes between weights of 0.3 and 0.7. An entity named whole is a strong hint; recency and
 * importance only part what is otherwise alike.
 */
const HYBRID: Weights = { vector: 0.5, text: 0.5, entity: 0.2, recency: 0.03, importance: 0.03 }
const ALONE: Weights = { vector: 1, text: 1, entity: 0, recency: 0, importance: 0 }

/** How many candidates each way of searching brings, beside the limit. */
const CANDIDATES = 50

/**
 * Finds memories by meaning, words and names, best first; with `expand`, also what the graph connects to them.
 * Postgres decides in this request which memories an answer holds. A model that is down leaves the search to words
 * (`degraded: ["embedding"]`), a graph that is down leaves out what is connected (`degraded: ["graph"]`).
 * Refuses `forbidden` for a namespace outside the grant.
 */
export async function recall(deps: Deps, caller: Caller, query: SearchQuery, { session }: InSession = {}): Promise<SearchResult> {
  const named = rangesNamed(query)
  const authorized = await introduce(deps, caller, named?.ranges ?? null)
  const place = named ?? rangesGranted(authorized.grants)
  const degraded: string[] = []
  const vector = await vectorOf(deps, caller, query)
  if (vector === null && query.mode !== 'text') degraded.push('embedding')
  const now = deps.now()
  const gathering = gatheringOf(deps, query, place, vector, now)
  const rows = await ask(deps, caller, query, gathering)
  const results = rows.map(resultOf)
  if (query.expand && query.expand.hops > 0) {
    try {
      results.push(
        ...(await caller.timings.measure('graph', () => expand(deps, caller, authorized.tenant, place.ranges, rows, query, { session }))),
      )
    } catch (error) {
      if (!(error instanceof GraphStoreError)) throw error
      degraded.push('graph')
    }
  }
  return {
    results: results.slice(0, query.limit + (query.expand ? query.limit : 0)),
    freshness: { asOf: query.asOf ?? now.toISOString(), graphLagMs: deps.settings.graphEnabled ? lagOf(rows, now) : 0, cached: false },
    degraded,
  }
}

/** Entities lie between memories: two edges lead from one to another. */
const EXPANDED_HOPS = 2

/**
 * The best of several kinds of memories together, with what the graph connects to them: one search statement and one
 * question to the graph, however many the kinds. Refuses and degrades as `recall` does.
 */
export async function recallKinds(
  deps: Deps,
  caller: Caller,
  { memoryTypes, ...query }: RecallQuery,
  options?: InSession,
): Promise<SearchResult> {
  const expand = deps.settings.graphEnabled ? { hops: EXPANDED_HOPS } : undefined
  const { results, ...rest } = await recall(deps, caller, SearchQuery.parse({ ...query, kinds: memoryTypes, expand }), options)
  return { results: results.toSorted((a, b) => b.score - a.score).slice(0, query.limit), ...rest }
}

interface Place {
  ranges: readonly Range[]
  /** Null when the ranges are wider than subjects. */
  subjects: readonly string[] | null
}

function rangesNamed(query: SearchQuery): Place | null {
  const exact = query.namespace
  const prefix = query.namespacePrefix ?? (query.userId === undefined ? undefined : `user:${query.userId}`)
  if (exact !== undefined) return { ranges: exactly(exact), subjects: [subjectOf(exact)] }
  return prefix === undefined ? null : placeOf([prefix])
}

/** Without a namespace, a search covers what the key was last known to be granted; the database checks again that it still is. */
const rangesGranted = (grants: readonly string[]): Place => placeOf(grants.includes('*') ? ['*'] : grants)

const placeOf = (prefixes: readonly string[]): Place => ({
  ranges: granted(prefixes),
  subjects: prefixes.every((prefix) => prefix.includes(':')) ? [...new Set(prefixes.map(subjectOf))] : null,
})

async function vectorOf(deps: Deps, caller: Caller, query: SearchQuery): Promise<Float32Array | null> {
  if (query.mode === 'text') return null
  if (query.embedding) return unit(deps, query.embedding)
  const signal = AbortSignal.any([caller.signal, AbortSignal.timeout(deps.settings.modelDeadlineMs)])
  const [vector] = await caller.timings.measure('embed', () => embedTexts(deps, [query.query as string], signal, 'interactive'))
  return vector ?? null
}

function gatheringOf(deps: Deps, query: SearchQuery, place: Place, vector: Float32Array | null, now: Date): Gathering {
  return {
    ...place,
    model: deps.embedder.model,
    dimensions: deps.embedder.dimensions,
    vector: vector && vectorText(vector),
    terms: query.mode === 'vector' || query.query === undefined ? [] : queryTerms(query.query),
    exact: query.precision === 'exact',
    candidates: CANDIDATES + query.limit,
    types: query.types ?? null,
    kinds: query.kinds ?? null,
    conditions: sql`${query.tags === undefined ? sql`true` : sql`m.tags && ${query.tags}::text[]`} and ${filterSql(query.filter)}
      and ${query.since === undefined ? sql`true` : sql`m.occurred_at >= ${query.since}::timestamptz`}
      and ${query.until === undefined ? sql`true` : sql`m.occurred_at <= ${query.until}::timestamptz`}`,
    threshold: query.threshold ?? null,
    limit: query.limit,
    now: now.toISOString(),
    weights: query.mode === 'hybrid' ? HYBRID : ALONE,
  }
}

/** Approximate first; exact when the index brought all it was asked for and filters then left too few. */
async function ask(deps: Deps, caller: Caller, query: SearchQuery, g: Gathering): Promise<RecallRow[]> {
  const run = async (gathering: Gathering) => {
    const statement = query.asOf === undefined ? gather(gathering) : gatherAsOf(gathering, query.asOf)
    return (await deps.db.asCaller(caller, g.ranges, [searching, statement])).rows[1]
  }
  const rows = await run(g)
  const filtered = query.tags !== undefined || query.filter !== undefined || query.since !== undefined || query.until !== undefined
  const short = rows.length < query.limit && filtered && !g.exact && g.vector !== null && query.asOf === undefined
  return short && (rows.length === 0 || (rows[0] as RecallRow).scanned >= g.candidates) ? run({ ...g, exact: true }) : rows
}

const resultOf = (row: RecallRow): SearchResult['results'][number] => ({
  memory: row.memory,
  score: clamp(row.score),
  parts: {
    ...(row.vector === null ? {} : { vector: row.vector }),
    ...(row.text === null ? {} : { text: row.text }),
    ...(row.entity === null ? {} : { entity: row.entity }),
    recency: row.recency,
    importance: row.importance,
  },
})

/** Rounding may carry a sum of normalised scores a hair beyond its bounds. */
const clamp = (score: number) => Math.min(1, Math.max(0, score))

const lagOf = (rows: readonly RecallRow[], now: Date): number => {
  const since = rows[0]?.owed_since
  return since ? Math.max(0, now.getTime() - new Date(since).getTime()) : 0
}
