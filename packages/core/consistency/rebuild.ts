import { Refusal } from '@twofold/operation/refusal.ts'
import { FIRST, fill as fillGeneration, fillThese } from '../graph/fill.ts'
import { MOST_ROWS, project } from '../graph/project.ts'
import { BUCKETS, check } from './check.ts'
import { oweAgain, oweUnknown, unknownToLedger } from './ledger.sql.ts'
import { countOf, countShown, owedSince, shownIn } from './rebuild.sql.ts'
import { reproject as showAnew } from './repair.ts'
import { beginGeneration, switchGeneration } from './run.sql.ts'
import type { Phase, Work } from './run.ts'

/**
 * A new generation of a tenant's graph, beside the one that is read. From `begin` on every graph write goes to both, and
 * what was leased before settles nothing (the epoch); `fill` writes what is settled, `catchUp` waits for what was owed by
 * then, `compare` adds up both sides until they are equal, `switchOver` makes it the one that is read. No model is asked.
 */
export const begin: Phase = async function* ({ deps, tenant, run, scope }) {
  const now = deps.now().toISOString()
  const [[begun]] = await deps.db.asTenant(tenant, [beginGeneration(run.id, now)])
  if (begun?.generation == null) throw new Refusal('conflict', 'Another generation of the graph is being filled.')
  run.generation = begun.generation
  // What came in behind the ledger's back is owed from now on.
  for (let done = 0, more = true; more; ) {
    const [unknown] = await deps.db.asTenant(tenant, [unknownToLedger(scope, MOST_UNKNOWN)])
    await deps.db.asTenant(tenant, [oweUnknown(unknown, now)])
    done += unknown.length
    more = unknown.length === MOST_UNKNOWN
    yield { cursor: more ? '' : null, done, total: done }
  }
}

const MOST_UNKNOWN = 5_000

export const fill: Phase = async function* (work, cursor) {
  const { deps, tenant, run, session, timeoutMs, signal } = work
  const [[count]] = await deps.db.asTenant(tenant, [countShown])
  const total = count?.shown ?? 0
  let done = run.done
  for await (const filled of fillGeneration(deps, tenant, { generation: generationOf(work), cursor, session, timeoutMs, signal })) {
    await oweLeft(work, filled.left)
    done += filled.rows
    yield { cursor: filled.cursor, done, total: Math.max(total, done), checked: filled.memories }
  }
}

const generationOf = ({ run }: Work): number => {
  if (run.generation === null) throw new Error('no generation was begun')
  return run.generation
}

/** What only a projection of its own can show: refused there, or no longer what the ledger knows. */
const oweLeft = ({ deps, tenant }: Work, left: readonly { id: string; revision: number }[]) =>
  left.length === 0 ? null : deps.db.asTenant(tenant, [oweAgain(left, deps.now().toISOString())])

/** Longer than any writer holds a row that it does not fail with. */
const PATIENCE_MS = 300_000

/** What was owed when the fill had read it goes to both generations; whoever holds it is waited for. */
export const catchUp: Phase = async function* ({ deps, tenant, run, session }) {
  const since = run.phase_since
  let done = run.done
  for (;;) {
    const [[owed]] = await deps.db.asTenant(tenant, [owedSince(since)])
    const left = owed?.rows ?? 0
    if (left === 0 || deps.now().getTime() - Date.parse(since) > PATIENCE_MS) return
    const outcomes = await project(deps, tenant, { oldest: MOST_ROWS }, { session })
    const shown = outcomes.filter(({ state }) => state === 'shown').length
    done += shown
    yield { cursor: '', done, total: done + Math.max(0, left - shown), waits: shown === 0 }
  }
}

/** Passes over all buckets; a difference in one is mended, and looked for again in the next. */
const MOST_PASSES = 5

export const compare: Phase = async function* (work, cursor) {
  const { deps, tenant, scope, session, timeoutMs, signal } = work
  const generation = generationOf(work)
  let [pass, from] = (cursor || '1:0').split(':').map(Number) as [number, number]
  for (let differs = false; ; pass++, from = 0, differs = false) {
    if (pass > MOST_PASSES) throw new Error('the new generation does not become equal')
    for await (const slice of check(deps, tenant, { scope, deep: false, from, session, timeoutMs, signal, generation })) {
      const ids = [...new Set(slice.differences.flatMap(({ row }) => (row ? [row.id] : [])))]
      if (slice.differences.length > 0) {
        differs = true
        await deps.graph.prune(
          tenant,
          slice.differences.flatMap(({ prune }) => prune),
          { generations: [generation], session, timeoutMs, signal },
        )
        await oweLeft(work, await fillThese(deps, tenant, ids, { generation, session, timeoutMs, signal }))
      }
      // A pass that another process began may have differed before.
      const goesOn = from > 0 || differs
      const next = slice.next < BUCKETS ? `${pass}:${slice.next}` : goesOn ? `${pass + 1}:0` : null
      yield { cursor: next, done: slice.done, total: slice.total }
    }
  }
}

export const switchOver: Phase = async function* (work) {
  const { deps, tenant } = work
  await deps.db.asTenant(tenant, [switchGeneration(generationOf(work), deps.now().toISOString())])
  yield { cursor: null, done: 1, total: 1 }
}

/** A user or a prefix, in place: everything that the graph should show of it is shown anew. */
export const reproject: Phase = async function* ({ deps, tenant, run, scope, session }, cursor) {
  let [after, done] = [cursor || FIRST, run.done]
  const [[count]] = await deps.db.asTenant(tenant, [countOf(scope)])
  for (;;) {
    const [rows] = await deps.db.asTenant(tenant, [shownIn(scope, after, MOST_ROWS)])
    if (rows.length === 0) return
    const failed = await showAnew(
      deps,
      tenant,
      rows.filter(({ settled }) => settled),
      { session },
    )
    after = rows.at(-1)?.id as string
    done += rows.length
    yield { cursor: after, done, total: Math.max(done, count?.rows ?? 0), failed }
  }
}
