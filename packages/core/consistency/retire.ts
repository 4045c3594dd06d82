import type { Deps } from '../ports.ts'
import { forgetGeneration, noteDropped, type Unread, unreadGenerations } from './run.sql.ts'

/** Longer than any request that began to read a generation before it was retired. */
export const RETIRED_MS = 60_000
/** As long as a tombstone keeps a stalled writer from bringing something back. */
export const DROPPED_MS = 24 * 3600_000
/** Nodes in one graph transaction. */
const AT_ONCE = 5_000

type DropDeps = Pick<Deps, 'db' | 'graph' | 'now'>

/** Takes away generations that nobody reads any more, slice by slice, until `until`. Answers how many nodes and edges went. */
export const dropRetired = (deps: DropDeps, tenant: string, until: Date): Promise<number> =>
  drop(deps, tenant, 'retired', RETIRED_MS, until)

/** The same a day later, for what a writer that stood still has put into them since; then they are forgotten. */
export const dropAgain = (deps: DropDeps, tenant: string, until: Date): Promise<number> => drop(deps, tenant, 'dropped', DROPPED_MS, until)

async function drop(deps: DropDeps, tenant: string, state: Unread, age: number, until: Date): Promise<number> {
  const before = new Date(deps.now().getTime() - age).toISOString()
  const [unread] = await deps.db.asTenant(tenant, [unreadGenerations(state, before)])
  let gone = 0
  for (const { generation } of unread) {
    for (let went = AT_ONCE; went > 0; gone += went) {
      if (deps.now() >= until) return gone
      went = await deps.graph.drop(tenant, generation, AT_ONCE, {})
    }
    await deps.db.asTenant(tenant, [state === 'retired' ? noteDropped(generation) : forgetGeneration(generation)])
  }
  return gone
}
