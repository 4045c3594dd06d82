import { project } from '@twofold/core/graph/project.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { type Entity, type Memory, MOST, truth } from './truth.sql.ts'

/** So many memories for each person, and so many places: what is mentioned again and again. */
const EACH_PERSON = 5
const PLACES = 200

/** Remembers so many for the tenant, in bulk, and has the graph show them. Answers their ids. */
export async function fill(deps: Deps, tenant: string, memories: number): Promise<string[]> {
  const made = (type: string, count: number): Entity[] =>
    Array.from({ length: count }, (_, i) => ({ id: deps.id(), type, value: `${type} ${i}` }))
  const [persons, places] = [made('person', Math.ceil(memories / EACH_PERSON)), made('place', PLACES)]
  const all = Array.from({ length: memories }, (_, i): Memory => {
    const [person, place] = [persons[i % persons.length] as Entity, places[i % PLACES] as Entity]
    return { id: deps.id(), entities: [person.id, place.id] }
  })
  const now = deps.now().toISOString()
  for (let i = 0; i < memories; i += MOST) {
    await deps.db.asTenant(tenant, truth(all.slice(i, i + MOST), i === 0 ? [...persons, ...places] : [], now))
  }
  await show(deps, tenant)
  return all.map(({ id }) => id)
}

/** Until nothing is owed any more. */
export const show = (deps: Deps, tenant: string): Promise<void> =>
  deps.graph.session('reuse', async (session) => {
    while ((await project(deps, tenant, { oldest: 500 }, { session })).length > 0);
  })
