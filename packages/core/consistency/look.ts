import { type Caller, Timings } from '@twofold/operation/caller.ts'
import { MOST_ROWS } from '../graph/project.ts'
import { type Statement, sql } from '../sql.ts'
import { BUCKETS, check as compareStores, type Slice } from './check.ts'
import { type Difference, isOurs } from './difference.ts'
import { noteDrift, noteRepaired } from './drift.sql.ts'
import { repair as repairThese } from './repair.ts'
import type { Phase, Work } from './run.ts'

interface Mended {
  repaired: number
  failed: number
}

type Mend = (work: Work, differences: readonly Difference[]) => Promise<Mended>

/** Looks at every bucket in turn, and does with what differs there what `mend` does. */
const looking = (mend: Mend, { deep, counts = true }: { deep?: boolean; counts?: boolean } = {}): Phase =>
  async function* (work, cursor) {
    const { deps, tenant, run, scope, session, timeoutMs, signal } = work
    const deeply = deep ?? run.options.deep
    const from = Number(cursor || 0)
    for await (const slice of compareStores(deps, tenant, { scope, deep: deeply, from, session, timeoutMs, signal })) {
      const { differences, from, next, checked, owed, done, total } = slice
      if (!run.options.dryRun) await note(work, slice, deeply)
      // So many as a graph transaction takes.
      for (let i = 0; i < differences.length; i += MOST_ROWS) {
        const found = differences.slice(i, i + MOST_ROWS)
        yield { cursor: String(from), done, total, found, ...(await mend(work, found)) }
      }
      yield { cursor: next < BUCKETS ? String(next) : null, done, total, ...(counts ? { checked, owed } : {}) }
    }
  }

const note = ({ deps, tenant, run, scope }: Work, slice: Slice, deep: boolean) =>
  deps.db.asTenant(tenant, noteDrift(run.id, slice, { scope, deep, now: deps.now().toISOString(), id: deps.id }))

const leaveAlone: Mend = async () => ({ repaired: 0, failed: 0 })

/** Repairs these through the same graph writes, and notes which are. */
export async function mendThese({ deps, tenant, session }: Work, differences: readonly Difference[]): Promise<Mended> {
  const { repaired, failed } = await repairThese(deps, tenant, differences, { session })
  if (repaired.length > 0) await deps.db.asTenant(tenant, [noteRepaired(repaired, deps.now().toISOString())])
  return { repaired: repaired.length, failed: failed.length }
}

/** What is to be adopted is, or stays. */
const mend: Mend = async (work, differences) => {
  const { deps, tenant, run, session } = work
  const wanted = run.options.adopt ? differences.filter((one) => one.made) : []
  let adopted: ReadonlySet<Difference> = new Set()
  if (wanted.length > 0) {
    // Loaded by the few who adopt: with it comes all that a caller may make.
    const { adopt } = await import('./adopt.ts')
    adopted = await adopt(deps, await callerOf(work), tenant, wanted, { session })
  }
  const kept = new Set(wanted.filter((one) => !adopted.has(one)))
  const mended = await mendThese(
    work,
    differences.filter((one) => !kept.has(one)),
  )
  return { ...mended, failed: mended.failed + kept.size }
}

const only =
  (which: (one: Difference) => boolean): Mend =>
  (work, differences) =>
    mendThese(work, differences.filter(which))

export const check = looking(leaveAlone)
export const repair = looking(mend)
/** The same where a second look tells what has failed. */
export const repairFirst = looking(async (work, differences) => ({ ...(await mend(work, differences)), failed: 0 }))
/** That second look: what is still there has not been repaired. */
export const again = looking(async (_, differences) => ({ repaired: 0, failed: differences.length }), { counts: false })
/** After everything was projected anew: what no projection takes away. */
export const tidy = looking(mend, { deep: true })
/** Shows what is missing and touches nothing else. */
export const fillIn = looking(only(({ kind }) => kind === 'missing'))
/** What nobody asked for leaves alone what somebody made by hand: that is reported, for whoever decides. */
export const sweep = looking(only(isOurs), { deep: true })

/** As the key that asked for the run: what is adopted is written by it, as far as it may still write. */
async function callerOf({ deps, tenant, run, signal }: Work): Promise<Caller> {
  const [[key]] = await deps.db.asTenant(tenant, [keyHash(run.asked_by)])
  return {
    ...{ keyHash: Buffer.from(key?.hash ?? '', 'hex'), scope: 'graph:write', operation: 'persistence.sync', requestId: run.id },
    ...{ onBehalfOf: null, idempotency: null, requestHash: Buffer.alloc(32), ifMatch: null, timings: new Timings() },
    signal: signal ?? new AbortController().signal,
  }
}

const keyHash = (id: string | null): Statement<{ hash: string | null }> =>
  sql<{ hash: string | null }>`select encode(key_hash(${id}::uuid), 'hex') as hash`
