import { randomUUID } from 'node:crypto'
import { MOST, truth } from '@twofold/bench/consistency/truth.sql.ts'
import { type ProjectDeps, project } from '@twofold/core/graph/project.ts'
import { makeTenant, type Tenant } from '../graph/world.ts'
import type { Victim } from './tamper.ts'

export interface Filled {
  mine: Tenant
  victims: Victim[]
  memories: number
  entities: number
}

const PLACES = 100

/**
 * A tenant whose graph shows all it should. Each memory mentions a person of its own and a place, and every so many
 * memories there is a victim. What victims name lies in a bucket for each (of 204 victims at most), because sums of one
 * bucket may cancel each other out: an edge gone here, one too many there.
 */
export async function filled(deps: ProjectDeps, count: { memories: number; victims: number }): Promise<Filled> {
  const mine = await makeTenant(deps.db, randomUUID())
  const idIn = idsOf(mine.tenant)
  const victims = Array.from({ length: count.victims }, (_, v): Victim => {
    const at = (place: number) => idIn(v, 5 * v + place)
    return { memory: at(0), entity: at(1), other: at(2), fresh: at(3) }
  })
  const places = Array.from({ length: PLACES }, (_, i) => ({ id: idIn(1_000 + i, i), type: 'place', value: `Place ${i}` }))
  const apart = Math.floor(count.memories / count.victims)
  const memories = Array.from({ length: count.memories }, (_, i) => {
    const [victim, before] = [victims[i / apart], victims[(i - 1) / apart]]
    const person = victim?.entity ?? before?.other ?? idIn(100_000 + i, i)
    const entities: [string, string] = [person, places[i % PLACES]?.id as string]
    return { id: victim?.memory ?? idIn(200_000 + i, i), entities, person: { id: person, type: 'person', value: `Person ${i}` } }
  })
  const now = deps.now().toISOString()
  for (let i = 0; i < memories.length; i += MOST) {
    const part = memories.slice(i, i + MOST)
    const entities = [...part.map(({ person }) => person), ...(i === 0 ? places : [])]
    await deps.db.asTenant(
      mine.tenant,
      truth(
        part.map(({ id, entities }) => ({ id, entities })),
        entities,
        now,
      ),
    )
  }
  await deps.graph.session('reuse', async (session) => {
    while ((await project(deps, mine.tenant, { oldest: 500 }, { session })).length > 0);
  })
  return { mine, victims, memories: count.memories, entities: count.memories + PLACES }
}

/** Another for each tenant, because damage can leave things in tenants that there are not; but always in this bucket: the last ten bits. */
const idsOf =
  (tenant: string) =>
  (n: number, bucket: number): string =>
    `${tenant.slice(0, 13)}-7000-8000-${(n * 1024 + (bucket % 1024)).toString(16).padStart(12, '0')}`
