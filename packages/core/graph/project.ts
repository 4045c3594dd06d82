import { GraphStoreError } from '../failures.ts'
import type { Deps } from '../ports.ts'
import {
  failLeased,
  type LeaseTerms,
  type LedgerRow,
  leaseOldest,
  leaseThese,
  readLeased,
  releaseLeased,
  type Settled,
  settleLeased,
} from './lease.sql.ts'
import type { GraphOptions, GraphSession, Projection } from './port.ts'
import { projectionOf } from './projection.ts'

/** Rows in one lease and one graph transaction: a hundred memories with four entities each. */
export const MOST_ROWS = 500
/** A row that the graph refuses is tried this often, 2, 4, 8 … seconds apart, then parked. */
export const ATTEMPTS = 5
const BASE_SECONDS = 2
/** What is left of a lease for settling when a graph transaction has used up its time. */
const SETTLING_SHARE = 0.2

export type ProjectDeps = Pick<Deps, 'db' | 'graph' | 'log' | 'settings' | 'now' | 'id'>

/** How it stands with one ledger row after `project`. */
export interface Outcome {
  id: string
  /**
   * `shown`: nothing is owed. `owed`: it moved meanwhile, or somebody is changing it. `taken`: another writer has it
   * under lease. `failed`: the graph could not be reached (`retryable`), or refuses this row.
   */
  state: 'shown' | 'owed' | 'taken' | 'failed'
  retryable: boolean
  /** What the graph should have shown when the row was read, and what it is known to show now. */
  revision: number
  shown: number
}

export type ProjectOptions = Pick<GraphOptions, 'signal' | 'timeoutMs' | 'session'>

/**
 * The one way into the graph: leases owed rows, reads what Postgres says of them now, applies that in one graph
 * transaction and notes what is shown. `which` names rows (memories bring the entities they mention) or asks for those
 * owed longest, at most `MOST_ROWS`. Late, doubled and concurrent calls are harmless.
 * Answers how it stands with every row named or leased; a row the ledger does not know is not among them.
 * Throws only when Postgres fails; then what was leased comes free when its lease ends.
 *
 * In an atomic session nothing is shown before the session ends, so what it writes is `owed` until then, settled once
 * that is done and given back when it is not; and whatever the graph refuses or cannot take is thrown.
 */
export async function project(
  deps: ProjectDeps,
  tenant: string,
  which: readonly string[] | { oldest: number },
  options: ProjectOptions = {},
): Promise<Outcome[]> {
  const { session } = options
  if (!session) return deps.graph.session('reuse', (session) => project(deps, tenant, which, { ...options, session }))
  const given = { ...options, session }
  if ('oldest' in which) return projectOnce(deps, tenant, [], leaseOldest.bind(null, Math.min(which.oldest, MOST_ROWS)), given)
  const ids = [...new Set(which)]
  const outcomes: Outcome[] = []
  for (let i = 0; i < ids.length; i += MOST_ROWS) {
    const part = ids.slice(i, i + MOST_ROWS)
    outcomes.push(...(await projectOnce(deps, tenant, part, leaseThese.bind(null, part, MOST_ROWS), given)))
  }
  return outcomes
}

type LeaseStatement = (terms: LeaseTerms) => ReturnType<typeof leaseOldest>
type InSession = ProjectOptions & { session: GraphSession }

/**
 * The leases that atomic sessions hold until their end. A row that moved since one of them was taken is leased and
 * written again in the same transaction; the earlier lease then settles nothing of it.
 */
const held = new WeakMap<GraphSession, readonly string[]>()

async function projectOnce(
  deps: ProjectDeps,
  tenant: string,
  ids: readonly string[],
  lease: LeaseStatement,
  options: InSession,
): Promise<Outcome[]> {
  const start = deps.now()
  const until = new Date(start.getTime() + deps.settings.leaseMs)
  const own = held.get(options.session) ?? []
  const terms = { lease: deps.id(), now: start.toISOString(), until: until.toISOString(), own }
  const [, rows] = await deps.db.asTenant(tenant, [lease(terms), readLeased(ids, terms)])
  const mine = rows.filter((row) => row.mine)
  const others = rows.filter((row) => !row.mine).map(standing)
  if (mine.length === 0) return others
  const batch = mine.map(projectionOf)
  const apply = (part: readonly Projection[]) => applyInTime(deps, tenant, mine[0] as LedgerRow, part, until, options)
  if (options.session.mode === 'reuse')
    return [...others, ...(await settle(deps, tenant, terms, mine, await applyHalving(deps, tenant, batch, apply)))]
  held.set(options.session, [...own, terms.lease])
  let written = false
  await options.session.whenDecided(async (stands) => {
    await settle(deps, tenant, terms, mine, { ...nothing(), taken: stands && written ? batch : [] })
  })
  await apply(batch)
  written = true
  return [...others, ...mine.map(({ id, revision, shown }): Outcome => ({ id, state: 'owed', retryable: false, revision, shown }))]
}

function standing({ id, revision, shown, taken, failed }: LedgerRow): Outcome {
  const state = revision === shown ? 'shown' : failed ? 'failed' : taken ? 'taken' : 'owed'
  return { id, state, retryable: false, revision, shown }
}

/** What the graph said to a batch. What is in neither list was not reached. */
export interface Applied {
  taken: readonly Projection[]
  refused: readonly { id: string; revision: number; failure: string }[]
  /** Why the graph was not there for all of it. */
  unreached: GraphStoreError | null
}

const nothing = (): Applied => ({ taken: [], refused: [], unreached: null })

/** One graph transaction, which ends while there is time to settle before the lease does. */
async function applyInTime(
  { graph, now, settings }: ProjectDeps,
  tenant: string,
  { generations }: LedgerRow,
  batch: readonly Projection[],
  until: Date,
  { timeoutMs = Number.POSITIVE_INFINITY, ...options }: InSession,
): Promise<void> {
  const left = until.getTime() - now().getTime() - settings.leaseMs * SETTLING_SHARE
  if (left <= 0) throw new GraphStoreError('apply', { retryable: true, cause: new Error('the lease is about to end') })
  await graph.apply(tenant, batch, { ...options, generations, timeoutMs: Math.min(left, timeoutMs) })
}

/**
 * Halves what the graph refuses until single rows are left, so that a poison row takes no other with it; and what it has
 * no room for at once, down to a row that does not fit alone, which is for want of room then and no fault of its own.
 */
export async function applyHalving(
  { log }: Pick<ProjectDeps, 'log'>,
  tenant: string,
  batch: readonly Projection[],
  apply: (part: readonly Projection[]) => Promise<void>,
): Promise<Applied> {
  const taken: Projection[] = []
  const refused: Applied['refused'][number][] = []
  let unreached: GraphStoreError | null = null

  async function write(part: readonly Projection[]): Promise<void> {
    if (unreached || part.length === 0) return
    try {
      await apply(part)
      taken.push(...part)
    } catch (error) {
      if (!(error instanceof GraphStoreError)) throw error
      if (error.retryable && !(error.tooLarge && part.length > 1)) {
        log.warn('graph.unreached', { tenant, rows: part.length, reason: reason(error) })
        unreached = error
        return
      }
      if (part.length === 1) {
        const { id, revision } = part[0] as Projection
        refused.push({ id, revision, failure: reason(error) })
        log.error('graph.refused', { tenant, id, reason: reason(error) })
        return
      }
      const half = Math.ceil(part.length / 2)
      await write(part.slice(0, half))
      await write(part.slice(half))
    }
  }

  await write(batch)
  return { taken, refused, unreached }
}

const settled = (projection: Projection, row: LedgerRow): Settled => ({
  id: row.id,
  revision: row.revision,
  version: row.memory?.version ?? null,
  digest: projection.gone ? null : projection.digest,
  degree: projection.gone ? null : projection.edges.length,
})

/** The step and the store's own code; never a message, which can quote content. */
function reason(error: GraphStoreError): string {
  const code = (error.cause as { code?: unknown } | undefined)?.code
  return typeof code === 'string' && /^[\w.]{1,80}$/.test(code) ? `${error.message} (${code})` : error.message
}

async function settle(
  deps: ProjectDeps,
  tenant: string,
  leased: LeaseTerms,
  mine: readonly LedgerRow[],
  applied: Applied,
): Promise<Outcome[]> {
  const terms = { ...leased, now: deps.now().toISOString() }
  const { epoch } = mine[0] as LedgerRow
  const read = new Map(mine.map((row) => [row.id, row]))
  const shown = applied.taken.map((projection) => settled(projection, read.get(projection.id) as LedgerRow))
  const [rows] = await deps.db.asTenant(tenant, [
    settleLeased(shown, epoch, leased.now, terms),
    failLeased(applied.refused, { attempts: ATTEMPTS, baseSeconds: BASE_SECONDS, id: deps.id }, terms),
    releaseLeased(terms),
  ])
  const noted = new Map(rows.map((row) => [row.id, row]))
  const refused = new Set(applied.refused.map((row) => row.id))
  const taken = new Set(shown.map((row) => row.id))
  return mine.map(({ id, revision, shown }): Outcome => {
    const row = noted.get(id)
    if (row) return { id, state: row.revision === row.shown ? 'shown' : 'owed', retryable: false, revision, shown: row.shown }
    const failed = refused.has(id) || (applied.unreached !== null && !taken.has(id))
    return { id, state: failed ? 'failed' : 'owed', retryable: !refused.has(id), revision, shown }
  })
}
