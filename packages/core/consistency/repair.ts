import { unpark } from '../graph/parked.sql.ts'
import type { GraphSession, Pruned } from '../graph/port.ts'
import type { ProjectDeps } from '../graph/project.ts'
import { readGeneration } from '../graph/query.sql.ts'
import { showNow } from '../graph/wait.ts'
import { type Difference, isOurs, isUuid } from './difference.ts'
import { knownIds, oweAgain, oweUnknown } from './ledger.sql.ts'

export interface Repaired {
  repaired: Difference[]
  failed: Difference[]
}

/**
 * Repairs what a check found, through the same graph writes as ever: what differs is owed again, so that the graph is
 * told what Postgres says at that moment. Before that, what no projection can reach is taken away, exactly as it was
 * reported. What is parked gets one more attempt. A row that moved since it was judged is left to whoever moved it.
 * Costs what differs, and harmless twice.
 */
export async function repair(
  deps: ProjectDeps,
  tenant: string,
  differences: readonly Difference[],
  { session }: { session: GraphSession },
): Promise<Repaired> {
  if (differences.length === 0) return { repaired: [], failed: [] }
  const now = deps.now().toISOString()
  const owed = unique(differences.flatMap(({ row }) => (row ? [row] : [])))
  const unknown = unique(differences.flatMap(({ unknown }) => (unknown ? [unknown] : [])))
  const strange = differences
    .filter((one) => !isOurs(one))
    .map(({ id }) => id)
    .filter(isUuid)
  const parked = differences.flatMap(({ row, parked }) => (row && parked ? [row.id] : []))
  const [, , , known, [state]] = await deps.db.asTenant(tenant, [
    oweAgain(owed, now),
    oweUnknown(unknown, now),
    unpark(parked),
    knownIds(strange),
    readGeneration,
  ])
  // What somebody remembered meanwhile under the same id is no longer nobody's.
  const claimed = new Set(known.map(({ id }) => id))
  const prune = differences.flatMap((one) => one.prune.filter((what) => one.row || !('node' in what) || !claimed.has(one.id ?? '')))
  await deps.graph.prune(tenant, distinct(prune), { generations: state?.generations ?? [], session })
  const ids = [...owed, ...unknown].map(({ id }) => id)
  const shown = ids.length > 0 ? await showNow(deps, tenant, ids, { session }) : new Set<string>()
  const done = (one: Difference) => !isOurs(one) || shown.has(one.id ?? '')
  return { repaired: differences.filter(done), failed: differences.filter((one) => !done(one)) }
}

/**
 * Shows these settled rows anew, whether they differ or not. Answers how many it could not. A row that moved since it was
 * read is left to whoever moved it.
 */
export async function reproject(
  deps: ProjectDeps,
  tenant: string,
  rows: readonly { id: string; revision: number }[],
  { session }: { session: GraphSession },
): Promise<number> {
  if (rows.length === 0) return 0
  const [taken] = await deps.db.asTenant(tenant, [oweAgain(rows, deps.now().toISOString())])
  const ids = taken.map(({ id }) => id)
  return ids.length - (await showNow(deps, tenant, ids, { session })).size
}

const unique = <T extends { id: string }>(things: readonly T[]): T[] => [...new Map(things.map((thing) => [thing.id, thing])).values()]

const distinct = (prune: readonly Pruned[]): Pruned[] => [...new Map(prune.map((one) => [JSON.stringify(one), one])).values()]
