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
import { type BatchQuery, type RecallQuery, SearchQuery, type SearchResult } from './search.ts'
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
export async function recall(deps: Deps, caller: Caller, query: SearchQuery, options?: InSession): Promise<SearchResult> {
  const [result] = await recallAll(deps, caller, [query], options)
  return result as SearchResult
}

/** The same of twenty searches at once, each item answered in its place: one call of the model for all of them. */
export async function recallBatch(deps: Deps, caller: Caller, { queries }: BatchQuery): Promise<{ items: SearchResult[] }> {
  return { items: await recallAll(deps, caller, queries, { path: (i) => `queries[${i}].embedding` }) }
}

interface Search {
  query: SearchQuery
  place: Place
  gathering: Gathering
  rows: RecallRow[]
  degraded: string[]
}

/** How many lists of searches, and how many questions to the graph, are under way at once. */
const LANES = 4

async function recallAll(
  deps: Deps,
  caller: Caller,
  queries: readonly SearchQuery[],
  { session, path = () => 'embedding' }: InSession & { path?: (index: number) => string } = {},
): Promise<SearchResult[]> {
  const named = queries.map(placeNamed)
  const ranges = named.flatMap((place) => place?.ranges ?? [])
  const authorized = await introduce(deps, caller, ranges.length === 0 ? null : ranges)
  const vectors = await vectorsOf(deps, caller, queries, path)
  const now = deps.now()
  const searches = queries.map((query, i): Search => {
    const place = named[i] ?? placeGranted(authorized.grants)
    const vector = vectors[i] ?? null
    const gathering = gatheringOf(deps, query, place, vector, now)
    return { query, place, gathering, rows: [], degraded: vector === null && query.mode !== 'text' ? ['embedding'] : [] }
  })
  await ask(deps, caller, searches)
  const lanes = lanesOf(searches, session ? 1 : LANES)
  const answers = new Map<Search, SearchResult>()
  await Promise.all(
    lanes.map(async (lane) => {
      for (const search of lane) answers.set(search, await answerOf(deps, caller, authorized.tenant, search, now, { session }))
    }),
  )
  return searches.map((search) => answers.get(search) as SearchResult)
}

async function answerOf(
  deps: Deps,
  caller: Caller,
  tenant: string,
  { query, place, rows, degraded }: Search,
  now: Date,
  { session }: InSession,
): Promise<SearchResult> {
  const results = rows.map(resultOf)
  if (query.expand && query.expand.hops > 0) {
    try {
      results.push(...(await caller.timings.measure('graph', () => expand(deps, caller, tenant, place.ranges, rows, query, { session }))))
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

const lanesOf = <T>(items: readonly T[], most = LANES): T[][] =>
  Array.from({ length: Math.min(most, items.length) }, (_, lane) => items.filter((_, i) => i % most === lane))

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

export interface Place {
  ranges: readonly Range[]
  /** Null when the ranges are wider than subjects. */
  subjects: readonly string[] | null
}

/** Where a request looks; null when it names no place. */
export function placeNamed(query: { namespace?: string; namespacePrefix?: string; userId?: string }): Place | null {
  const exact = query.namespace
  const prefix = query.namespacePrefix ?? (query.userId === undefined ? undefined : `user:${query.userId}`)
  if (exact !== undefined) return { ranges: exactly(exact), subjects: [subjectOf(exact)] }
  return prefix === undefined ? null : placeOf([prefix])
}

/** Without a namespace, a search covers what the key was last known to be granted; the database checks again that it still is. */
export const placeGranted = (grants: readonly string[]): Place => placeOf(grants.includes('*') ? ['*'] : grants)

const placeOf = (prefixes: readonly string[]): Place => ({
  ranges: granted(prefixes),
  subjects: prefixes.every((prefix) => prefix.includes(':')) ? [...new Set(prefixes.map(subjectOf))] : null,
})

/** Of every query that is searched for by its meaning, in one call of the model; null where the model could not in time. */
async function vectorsOf(
  deps: Deps,
  caller: Caller,
  queries: readonly SearchQuery[],
  path: (index: number) => string,
): Promise<(Float32Array | null)[]> {
  const given = queries.map(({ mode, embedding }, i) => (mode === 'text' || !embedding ? null : unit(deps, embedding, path(i))))
  const texts = [...new Set(queries.flatMap(({ mode, embedding, query }) => (mode === 'text' || embedding || !query ? [] : [query])))]
  if (texts.length === 0) return given
  const signal = AbortSignal.any([caller.signal, AbortSignal.timeout(deps.settings.modelDeadlineMs)])
  const made = await caller.timings.measure('embed', () => embedTexts(deps, texts, { signal, priority: 'interactive' }))
  const known = new Map(texts.map((text, i) => [text, made[i] ?? null]))
  return queries.map(({ mode, query }, i) => given[i] ?? (mode === 'text' ? null : (known.get(query ?? '') ?? null)))
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
async function ask(deps: Deps, caller: Caller, searches: readonly Search[]): Promise<void> {
  await gatherRows(deps, caller, searches)
  const short = searches.filter(({ query, gathering, rows }) => {
    const filtered = query.tags !== undefined || query.filter !== undefined || query.since !== undefined || query.until !== undefined
    const few = rows.length < query.limit && filtered && !gathering.exact && gathering.vector !== null && query.asOf === undefined
    return few && (rows.length === 0 || (rows[0] as RecallRow).scanned >= gathering.candidates)
  })
  for (const search of short) search.gathering = { ...search.gathering, exact: true }
  await gatherRows(deps, caller, short)
}

/** A list of statements for each lane, each one round trip. */
async function gatherRows(deps: Deps, caller: Caller, searches: readonly Search[]): Promise<void> {
  await Promise.all(
    lanesOf(searches).map(async (lane) => {
      const statements = lane.map(({ query, gathering }) =>
        query.asOf === undefined ? gather(gathering) : gatherAsOf(gathering, query.asOf),
      )
      const ranges = lane.flatMap(({ gathering }) => gathering.ranges)
      const { rows } = await deps.db.asCaller(caller, ranges, [searching, ...statements])
      lane.forEach((search, i) => {
        search.rows = rows[i + 1] as RecallRow[]
      })
    }),
  )
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
