import { setTimeout as sleep } from 'node:timers/promises'
import type { GraphSession } from './port.ts'
import { type Outcome, type ProjectDeps, project } from './project.ts'

/** How long to leave another writer to it before looking again. */
const PAUSE_MS = 20

/**
 * Brings these rows (and the entities they mention) into the graph before answering, within `graphDeadlineMs`.
 * When another writer has them under lease, waits for him. Answers the ids of which the graph shows at least the
 * revision they had when this was called; a row that changes again meanwhile does not hold it up.
 * Gives up at once where waiting cannot help: the graph is out of reach, or refuses the row.
 * All its attempts share one session, a `reuse` one: in an atomic one nothing is shown before its end.
 */
export async function showNow(
  deps: ProjectDeps,
  tenant: string,
  ids: readonly string[],
  { session }: { session?: GraphSession } = {},
): Promise<Set<string>> {
  if (!session) return deps.graph.session('reuse', (session) => showNow(deps, tenant, ids, { session }))
  if (session.mode === 'atomic') throw new Error('what an atomic graph session writes is shown only once it has ended')
  const deadline = deps.now().getTime() + deps.settings.graphDeadlineMs
  const wanted = new Map<string, number>()
  const shown = new Set<string>()
  const settled = ({ id, state, revision, shown: has }: Outcome): boolean => {
    const target = wanted.get(id) ?? revision
    wanted.set(id, target)
    if (has >= target) shown.add(id)
    return shown.has(id) || state === 'failed'
  }
  for (
    let missing = [...ids], left = deps.settings.graphDeadlineMs;
    missing.length > 0 && left > 0;
    left = deadline - deps.now().getTime()
  ) {
    const outcomes = await project(deps, tenant, missing, { timeoutMs: left, session })
    missing = outcomes.filter((outcome) => !settled(outcome)).map(({ id }) => id)
    if (missing.length > 0) await sleep(PAUSE_MS)
  }
  return new Set(ids.filter((id) => shown.has(id)))
}
