import type { Deps } from '../ports.ts'
import { removeUnreferenced, takeCandidates } from './collect.sql.ts'

/**
 * Removes entities of the tenant that nothing refers to any more; their removal from the graph is owed with it, in one
 * statement list. A candidate that somebody is linking at this moment waits for the next sweep, one that is still
 * referred to is forgotten until it loses another mention. Any number of sweeps may run at once.
 */
export async function collect(deps: Pick<Deps, 'db' | 'now'>, tenant: string, most = 500): Promise<{ looked: number; removed: number }> {
  const [taken, removed] = await deps.db.asTenant(tenant, [takeCandidates(most), removeUnreferenced(deps.now().toISOString())])
  return { looked: taken[0]?.taken ?? 0, removed: removed[0]?.removed ?? 0 }
}
