import type { BucketSum, GraphOptions, GraphSession, Head, Shown, StrayEdge } from '../graph/port.ts'
import type { ProjectDeps } from '../graph/project.ts'
import { projectionOf } from '../graph/projection.ts'
import { readGeneration } from '../graph/query.sql.ts'
import { compare, digestOf } from './compare.ts'
import { type Difference, isUuid, plain } from './difference.ts'
import {
  type Judged,
  type Known,
  type LedgerSum,
  ledgerOf,
  ledgerSums,
  type ParkedThing,
  parkedFrom,
  truthOfBuckets,
  truthOfThese,
  unknownToLedger,
} from './ledger.sql.ts'
import { concerns, lies, type Scope } from './scope.ts'

/** What one step of a check saw: the buckets from `from` to before `next`, of which the first step has what is in none of them. */
export interface Slice {
  from: number
  next: number
  /** Memories compared, and ledger rows on their way, in these buckets. */
  checked: number
  owed: number
  differences: Difference[]
  /** Things of the whole scope, and those in the buckets before `next`. */
  total: number
  done: number
}

export interface Looking {
  scope: Scope
  deep: boolean
  /** The bucket to go on with. */
  from: number
  session: GraphSession
  /** For each call of the graph. */
  timeoutMs: number
  signal?: AbortSignal
  /** Look at this generation, not at the one that is read. */
  generation?: number
}

export const BUCKETS = 1024
/** Rows on each side that one step looks at closely: a few megabytes, about a second. */
const ROWS = { shallow: 5_000, deep: 1_000 }
/** Stray nodes and edges that one check names; the next one has the others. */
const MOST_STRAYS = 10_000

/**
 * Compares both stores step by step, so that whoever asks may stop after any and go on from its `next`. One aggregate
 * on each side, then only the buckets that differ, and of those only what differs is read; `deep` reads every bucket,
 * makes the digest of what the graph holds anew, and that of what Postgres says.
 * Both sides are read at two instants, so whatever seems to differ is judged by itself: a finding counts only if its
 * ledger row was settled and unchanged before and after the graph was read. Throws `GraphStoreError`.
 */
export async function* check(deps: ProjectDeps, tenant: string, looking: Looking): AsyncGenerator<Slice> {
  const { scope, deep, from } = looking
  const generations = looking.generation === undefined ? await generationsOf(deps, tenant) : [looking.generation]
  const options = { ...looking, generations }
  const [[ours, refused], held] = await Promise.all([
    deps.db.asTenant(tenant, [ledgerSums(scope), parkedFrom(from, scope)]),
    deps.graph.sums(tenant, scope.subjects, options),
  ])
  const theirs = new Map(held.map((sum) => [sum.bucket, sum]))
  const mine = new Map(ours.map((sum) => [sum.bucket, sum]))
  const eye = new Eye(deps, tenant, scope, deep, options)
  const agrees = (bucket: number) => agree(mine.get(bucket), theirs.get(bucket))
  // Where the sums agree, only a deep check ever looks.
  const seenBy = (one: Difference): Difference => ({ ...one, deep: one.deep || agrees(one.bucket) })
  // What the writers gave up is no longer on its way. A generation that is being filled never had it.
  const parked = looking.generation === undefined ? refused.filter((row) => concerns(scope, row.subject, row.namespace)) : []
  const givenUp = ({ from, next }: Slice) => parked.filter(({ bucket }) => bucket >= from && bucket < next).map(refusedToTheEnd)
  const total = ours.reduce((sum, { nodes }) => sum + nodes, 0)
  const before = ours.reduce((sum, { bucket, nodes }) => (bucket < from ? sum + nodes : sum), 0)
  const nothing = (at: number, done: number): Slice => ({ from: at, next: at, checked: 0, owed: 0, differences: [], total, done })
  let slice = nothing(from, before)
  if (from === 0) slice.differences = await eye.outside(theirs.has(-1))
  let close: number[] = []
  for (let [bucket, rows] = [from, 0]; bucket < BUCKETS; bucket++) {
    const sum = mine.get(bucket)
    slice.checked += sum?.memories ?? 0
    slice.owed += sum?.owed ?? 0
    slice.done += sum?.nodes ?? 0
    slice.next = bucket + 1
    if (!deep && agrees(bucket)) continue
    close.push(bucket)
    rows += Math.max(sum?.nodes ?? 0, theirs.get(bucket)?.nodes ?? 0)
    if (rows < ROWS[deep ? 'deep' : 'shallow']) continue
    slice.differences.push(...(await eye.closer(close, theirs)).map(seenBy), ...givenUp(slice))
    yield slice
    ;[close, rows, slice] = [[], 0, nothing(slice.next, slice.done)]
  }
  slice.differences.push(...(await eye.closer(close, theirs)).map(seenBy), ...givenUp(slice))
  yield slice
}

/** Compares these things alone, whatever their buckets add up to, and makes every digest anew. Throws `GraphStoreError`. */
export async function checkThese(
  deps: ProjectDeps,
  tenant: string,
  ids: readonly string[],
  looking: Omit<Looking, 'from' | 'deep'>,
): Promise<Difference[]> {
  return new Eye(deps, tenant, looking.scope, true, { ...looking, generations: await generationsOf(deps, tenant) }).judge(ids)
}

/** The generation that is read, then the one that is being filled. */
async function generationsOf({ db }: ProjectDeps, tenant: string): Promise<readonly number[]> {
  const [[state]] = await db.asTenant(tenant, [readGeneration])
  return state?.generations ?? []
}

const SUMMED = ['nodes', 'high', 'low', 'revisions', 'edges'] as const

const agree = (mine: LedgerSum | undefined, theirs: BucketSum | undefined): boolean =>
  (theirs?.odd ?? 0) === 0 && SUMMED.every((field) => (mine?.[field] ?? 0) === (theirs?.[field] ?? 0))

/** A closer look, for one check. */
class Eye {
  readonly #seen = new Set<string>()
  #strays: ReturnType<ProjectDeps['graph']['strays']> | undefined
  readonly deps: ProjectDeps
  readonly tenant: string
  readonly scope: Scope
  readonly deep: boolean
  readonly options: GraphOptions

  constructor(deps: ProjectDeps, tenant: string, scope: Scope, deep: boolean, options: GraphOptions) {
    ;[this.deps, this.tenant, this.scope, this.deep, this.options] = [deps, tenant, scope, deep, options]
  }

  get #now(): string {
    return this.deps.now().toISOString()
  }

  /** What is in no bucket; of a deep check also what the ledger does not know. */
  async outside(unplaced: boolean): Promise<Difference[]> {
    const found = unplaced ? await this.#odd((bucket) => bucket === -1) : []
    if (!this.deep) return found
    const [unknown] = await this.deps.db.asTenant(this.tenant, [unknownToLedger(this.scope, MOST_STRAYS)])
    const missing = unknown
      .filter(({ subject, namespace }) => concerns(this.scope, subject, namespace))
      .map((thing): Difference => {
        const { id, kind, subject, bucket } = thing
        const named = { kind: 'missing', store: 'graph', what: kind, expected: { ledger: true }, found: null, remedy: 'project' } as const
        return { ...named, id, subject, bucket, deep: true, row: null, prune: [{ owner: id }], unknown: thing }
      })
    return [...found, ...missing]
  }

  async closer(buckets: readonly number[], theirs: ReadonlyMap<number, BucketSum>): Promise<Difference[]> {
    if (buckets.length === 0) return []
    const { deps, tenant, options, scope } = this
    const [rows, truth] = await deps.db.asTenant(tenant, [
      ledgerOf(buckets, scope),
      truthOfBuckets(this.deep ? buckets : [], scope, this.#now),
    ])
    const heads = await deps.graph.heads(tenant, { buckets }, options)
    const known = new Map(rows.map((row) => [row.id, row]))
    const near = heads.filter((head) => lies(head.subject, scope.subjects) || known.has(head.id as string))
    const suspects = suspected(known, near)
    if (this.deep) {
      for (const row of truth) if (digestOfTruth(row) !== digestIn(row)) suspects.add(row.id)
      for (const held of await deps.graph.held(tenant, buckets, options))
        if (lies(held.subject, scope.subjects) && digestOf(held) !== digestIn(known.get(held.id))) suspects.add(held.id)
    }
    const found = await this.judge([...suspects])
    const asserted = new Map<number, number>()
    for (const head of near) if (head.bucket !== null) asserted.set(head.bucket, (asserted.get(head.bucket) ?? 0) + head.degree)
    const unexplained = buckets.some((bucket) => {
      const sum = theirs.get(bucket)
      return sum !== undefined && (sum.odd > 0 || sum.edges > (asserted.get(bucket) ?? 0))
    })
    const here = new Set(buckets)
    return unexplained ? [...found, ...(await this.#odd((bucket) => here.has(bucket)))] : found
  }

  /** What no projection leaves behind, as far as it belongs where we look. */
  async #odd(here: (bucket: number) => boolean): Promise<Difference[]> {
    this.#strays ??= this.deps.graph.strays(this.tenant, MOST_STRAYS, this.options)
    const { nodes, edges } = await this.#strays
    const named = nodes.filter(({ id }) => isUuid(id))
    const judged = await this.judge(named.filter(({ id }) => here(bucketOf(id)) || here(-1)).map(({ id }) => id as string))
    const nameless = nodes.filter((node) => !named.includes(node) && here(placeOf(node)) && lies(node.subject, this.scope.subjects))
    const asserting = await this.#standing(edges.map(({ owner }) => owner).filter(isUuid))
    return [
      ...judged,
      ...nameless.map((node) => orphan(node, undefined)),
      ...edges
        .filter((edge) => here(bucketOf(edge.owner)) && lies(edge.namespace, this.scope.subjects === null ? null : this.scope.ranges))
        .filter(({ owner }) => owner === null || !asserting.has(owner))
        .map(strayed),
    ]
  }

  /** Those that are on their way, or missing: whose edges go with their own repair. */
  async #standing(owners: readonly string[]): Promise<Set<string>> {
    const [rows] = await this.deps.db.asTenant(this.tenant, [truthOfThese(owners, this.#now)])
    const heads = new Map((await this.deps.graph.heads(this.tenant, { ids: owners }, this.options)).map((head) => [head.id, head]))
    return new Set(
      rows.filter((row) => row.revision !== row.shown || (row.high !== null && !heads.get(row.id)?.shown)).map((row) => row.id),
    )
  }

  /** Each by itself, once a check: before and after the graph is read its row must be settled and the same. */
  async judge(given: readonly string[]): Promise<Difference[]> {
    const ids = given.filter((id) => !this.#seen.has(id))
    for (const id of ids) this.#seen.add(id)
    if (ids.length === 0) return []
    const inLedger = ids.filter(isUuid)
    const { deps, tenant, options, scope } = this
    const read = async () => new Map((await deps.db.asTenant(tenant, [truthOfThese(inLedger, this.#now)]))[0].map((row) => [row.id, row]))
    const before = await read()
    const heads = await deps.graph.heads(tenant, { ids }, options)
    const held = new Map((await deps.graph.held(tenant, { ids }, options)).map((node) => [node.id, node]))
    const after = await read()
    const there = new Map(heads.map((head) => [head.id as string, head]))
    const found: Difference[] = []
    const orphans: string[] = []
    for (const id of ids) {
      const [row, head, node] = [after.get(id), there.get(id), held.get(id)]
      const namespace = row?.memory?.namespace ?? row?.session?.namespace ?? node?.properties.namespace
      if (!concerns(scope, row?.subject ?? node?.subject ?? null, namespace)) continue
      if (row) {
        if (settledTheSame(before.get(id), row)) found.push(...compare(row, { head, held: node }))
      } else if (head && (head.shown || head.odd)) {
        found.push(orphan(head, node))
        orphans.push(id)
      }
    }
    if (orphans.length > 0) found.push(...(await this.judge(await deps.graph.claimants(tenant, orphans, options))))
    return found
  }
}

const digestIn = (row: Pick<Known, 'high' | 'low'> | undefined): string | null => (row?.high == null ? null : `${row.high},${row.low}`)

function digestOfTruth(row: Judged): string | null {
  const projection = projectionOf(row)
  return projection.gone ? null : projection.digest.join()
}

const isSettled = ({ revision, shown }: Judged): boolean => revision === shown

const settledTheSame = (before: Judged | undefined, after: Judged): boolean =>
  before !== undefined && isSettled(before) && isSettled(after) && before.revision === after.revision && before.shown_at === after.shown_at

/** Whatever stands otherwise than the ledger knows it. */
function suspected(known: ReadonlyMap<string, Known>, heads: readonly Head[]): Set<string> {
  const suspects = new Set<string>()
  const seen = new Set<string>()
  for (const head of heads) {
    if (head.id === null) continue
    seen.add(head.id)
    const row = known.get(head.id)
    const shows = row?.high != null
    if (row && !row.settled) continue
    if (head.odd || head.shown !== shows) suspects.add(head.id)
    else if (
      row &&
      shows &&
      !(head.revision === row.shown && head.digest?.join() === digestIn(row) && head.degree === row.degree && head.bucket === row.bucket)
    )
      suspects.add(head.id)
  }
  for (const row of known.values()) if (row.settled && row.high !== null && !seen.has(row.id)) suspects.add(row.id)
  return suspects
}

/** The last ten bits, as the graph adds up; -1 where there are none. */
const bucketOf = (id: string | null): number => (id !== null && /[0-9a-f]{3}$/.test(id) ? Number.parseInt(id.slice(-3), 16) & 1023 : -1)

const placeOf = ({ bucket, id }: Head): number => (bucket !== null && bucket >= 0 && bucket < BUCKETS ? bucket : bucketOf(id))

const refusedToTheEnd = ({ id, kind, subject, bucket, revision, shown, nothing }: ParkedThing): Difference => ({
  ...{
    kind: nothing ? 'missing' : 'stale',
    store: 'graph',
    id,
    what: kind,
    expected: { revision },
    found: nothing ? null : { revision: shown },
  },
  ...{ remedy: 'project', subject, bucket, deep: false, row: { id, revision }, parked: true, prune: [] },
})

function orphan(head: Head, held: Shown | undefined): Difference {
  const found = held ? { kind: held.kind, subject: held.subject, ...held.properties } : { revision: head.revision }
  return {
    ...{ kind: 'orphaned', store: 'graph', id: head.id, what: held?.kind || 'node', expected: null, found: plain(found), remedy: 'remove' },
    ...{ subject: head.subject, bucket: bucketOf(head.id), deep: false, row: null, prune: [{ node: head }] },
    ...(held?.kind === 'entity' ? { made: { entity: { ...held.properties, subject: held.subject } } } : {}),
  }
}

function strayed(edge: StrayEdge): Difference {
  const { handle: _, owner, ...found } = edge
  return {
    ...{ kind: 'orphaned', store: 'graph', id: owner, what: 'edge', expected: null, found: plain(found), remedy: 'remove' },
    ...{ subject: null, bucket: bucketOf(owner), deep: false, row: null, prune: [{ edge }] },
    ...(edge.type === 'RELATES_TO' ? { made: { edge: found } } : {}),
  }
}
