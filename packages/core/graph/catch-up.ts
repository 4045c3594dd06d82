import { MOST_ROWS, type ProjectDeps, project } from './project.ts'

/**
 * Brings what the tenant's graph owes longest into it, slice by slice, until nothing is due, a slice fails or `until`
 * has come. Answers how many rows are shown now that were not before.
 */
export async function catchUp(deps: ProjectDeps, tenant: string, until: Date): Promise<number> {
  return deps.graph.session('reuse', async (session) => {
    let shown = 0
    do {
      const outcomes = await project(deps, tenant, { oldest: MOST_ROWS }, { session })
      shown += outcomes.filter(({ state }) => state === 'shown').length
      if (outcomes.length < MOST_ROWS || outcomes.some(({ state }) => state === 'failed')) break
    } while (deps.now() < until)
    return shown
  })
}
