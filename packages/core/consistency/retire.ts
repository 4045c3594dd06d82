import type { Deps } from '../ports.ts'
import { forgetGeneration, retiredGenerations } from './run.sql.ts'

/** Longer than any request that began to read a generation before it was retired. */
export const RETIRED_MS = 60_000
/** Nodes in one graph transaction. */
const AT_ONCE = 5_000

/** Takes away generations that nobody reads any more, slice by slice, until `until`. Answers how many nodes and edges went. */
export async function dropRetired(deps: Pick<Deps, 'db' | 'graph' | 'now'>, tenant: string, until: Date): Promise<number> {
  const before = new Date(deps.now().getTime() - RETIRED_MS).toISOString()
  const [retired] = await deps.db.asTenant(tenant, [retiredGenerations(before)])
  let gone = 0
  for (const { generation } of retired) {
    for (let went = AT_ONCE; went > 0; gone += went) {
      if (deps.now() >= until) return gone
      went = await deps.graph.drop(tenant, generation, AT_ONCE, {})
    }
    await deps.db.asTenant(tenant, [forgetGeneration(generation)])
  }
  return gone
}
