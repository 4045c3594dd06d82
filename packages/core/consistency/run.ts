import type { GraphSession } from '../graph/port.ts'
import type { Deps } from '../ports.ts'
import type { Difference } from './difference.ts'
import { planOf } from './plan.ts'
import { type Ending, endRun, leaveRun, noteStep, type RunRow, type RunTerms, takeRun, waitingRuns } from './run.sql.ts'
import { type Scope, scopeOf } from './scope.ts'

/** What one step of a phase did. What is counted adds up over the run; where it stands is of this phase. */
export interface Step {
  /** Where this phase goes on; null: it is over. */
  cursor: string | null
  /** Things of this phase that are done, and all of them. */
  done: number
  total: number
  checked?: number
  owed?: number
  found?: readonly Difference[]
  repaired?: number
  failed?: number
  /** Nothing to do before somebody else has done his part. */
  waits?: boolean
}

/** A part of a run, from where it stopped; each step may be its last in this process, and may be done twice. */
export type Phase = (work: Work, cursor: string) => AsyncGenerator<Step>

/** What a phase works with. */
export interface Work {
  deps: Deps
  tenant: string
  run: RunRow
  scope: Scope
  session: GraphSession
  /** For each call of the graph. */
  timeoutMs: number
  signal?: AbortSignal
}

/** How long a run belongs to the process that is at it, from its last step: longer than any step takes. */
const LEASE_MS = 60_000
/** After a failure, 2, 4, 8 … seconds, at most so many. */
const LONGEST_PAUSE_MS = 300_000
/** Failures one after the other, without a step in between, after which a run is given up: more than an hour. */
const MOST_FAILURES = 20
const WAIT_MS = 2_000
/** What one call of the graph may take in any case: a request and a schedule have more than that left when their time is up. */
const STEP_MS = 8_000

export interface Advancing {
  until: Date
  signal?: AbortSignal
}

export interface Advanced {
  run: RunRow
  /** What was found in this process, with what the things hold. */
  found: Difference[]
}

/**
 * Goes on with a run until it is done, has been stopped, or `until` has come; at least one step, so that it gets on.
 * Every step is noted before the next, so a process that dies costs at most one. Null when somebody else is at it, or
 * nobody need be. `lease` is the one it was begun with. What fails is noted, and the run left for later, or given up after
 * too many failures; a run that its caller waits for (`first`) and that got nowhere is given up at once, and what failed thrown.
 */
export async function advance(
  deps: Deps,
  tenant: string,
  id: string,
  { until, signal, first = false, lease = deps.id() }: Advancing & { first?: boolean; lease?: string },
): Promise<Advanced | null> {
  const terms = (ms: number): RunTerms => {
    const now = deps.now()
    return { lease, now: now.toISOString(), until: new Date(now.getTime() + ms).toISOString() }
  }
  const [[run]] = await deps.db.asTenant(tenant, [takeRun(id, terms(LEASE_MS))])
  if (!run) return null
  const found: Difference[] = []
  let steps = 0
  const end = async (outcome: Ending, failure: string | null) => {
    await deps.db.asTenant(tenant, endRun(id, terms(0), outcome, failure))
    Object.assign(run, { ended_at: deps.now().toISOString(), outcome, failure })
  }
  const leave = async (ms: number, failure: string | null = null) =>
    void (await deps.db.asTenant(tenant, [leaveRun(id, terms(ms), failure)]))
  const note = async () => (await deps.db.asTenant(tenant, [noteStep(run, terms(LEASE_MS))]))[0][0]

  const go = async (session: GraphSession): Promise<void> => {
    const timeoutMs = Math.max(STEP_MS, until.getTime() - deps.now().getTime())
    const work: Work = { deps, tenant, run, scope: scopeOf(run.prefixes), session, timeoutMs, signal }
    const plan = planOf(run)
    const enter = (name: string) =>
      Object.assign(run, { phase: name, cursor: '', done: 0, total: 0, phase_since: deps.now().toISOString() })
    const at = plan.findIndex(([name]) => name === run.phase)
    for (const [i, [name, phase]] of plan.entries()) {
      if (i < at) continue
      if (run.phase !== name) enter(name)
      const following = plan[i + 1]?.[0]
      for await (const step of phase(work, run.cursor)) {
        add(run, step)
        found.push(...(step.found ?? []))
        // Noted together, so that nobody comes to the end of a phase again and again.
        if (step.cursor === null && following) enter(following)
        const noted = await note()
        if (!noted) return
        steps++
        if (noted.stop_asked) return end('stopped', null)
        if (step.cursor === null) break
        if (step.waits || deps.now() >= until) return leave(step.waits ? WAIT_MS : 0)
      }
      if (following && steps > 0 && deps.now() >= until) return leave(0)
    }
    await end(run.failed > 0 ? 'partial' : 'success', null)
  }

  try {
    if (run.stop_asked) await end('stopped', null)
    else await deps.graph.session('reuse', go, { signal })
  } catch (error) {
    const failure = error instanceof Error ? error.message : 'unknown'
    const failures = steps > 0 ? 1 : run.failures + 1
    const hopeless = failures >= MOST_FAILURES || (first && steps === 0)
    if (hopeless) await end('failed', failure)
    else await leave(Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** failures), failure)
    if (first && hopeless) throw error
    deps.log.warn('sync.failed', { tenant, run: id, phase: run.phase, failures, reason: failure })
  }
  return { run, found }
}

/** Goes on with every run of the tenant that nobody is at. */
export async function goOn(deps: Deps, tenant: string, advancing: Advancing): Promise<void> {
  const [waiting] = await deps.db.asTenant(tenant, [waitingRuns(deps.now().toISOString())])
  await Promise.all(waiting.map(({ id }) => advance(deps, tenant, id, advancing)))
}

function add(run: RunRow, { cursor, done, total, checked = 0, owed = 0, found = [], repaired = 0, failed = 0 }: Step): void {
  Object.assign(run, { cursor: cursor ?? '', done, total })
  run.checked += checked
  run.owed += owed
  run.found += found.length
  run.repaired += repaired
  run.failed += failed
  const room = Math.max(0, run.options.limit - run.listed.length)
  run.listed.push(...found.slice(0, room).map(({ kind, store, id, what, remedy }) => ({ kind, store, id, what, remedy })))
}
