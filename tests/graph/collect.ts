import { randomUUID } from 'node:crypto'
import { markCollectable } from '@twofold/core/entities/collect.sql.ts'
import { collect } from '@twofold/core/entities/collect.ts'
import { project } from '@twofold/core/graph/project.ts'
import { type Statement, sql } from '@twofold/core/sql.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { OpenStores, Stores } from './stores.ts'
import { Clock, depsOf, entityId, id, ledger, makeTenant, owe, remember, type Tenant, watched } from './world.ts'

/** Entities nothing refers to any more. */
export function collectTests(open: OpenStores): void {
  describe('the collector of entities', () => {
    let stores: Stores
    let db: Stores['db']
    let clock = new Clock()
    let mine: Tenant
    let deps: ReturnType<typeof depsOf>

    beforeAll(async () => {
      stores = await open(() => clock.now())
      db = stores.db
    })
    afterAll(() => stores.close())
    beforeEach(async () => {
      clock = new Clock()
      deps = depsOf(db, watched(stores.graph), clock)
      mine = await makeTenant(db, randomUUID())
    })

    /** Takes memories away as a hard deletion does. */
    const forget = (...memories: string[]) => db.asTenant(mine.tenant, memories.flatMap(forgetting))
    const forgetting = (memory: string): Statement[] => [
      markCollectable(
        sql`select entity_id from memory_entities where tenant_id = current_tenant() and memory_id = ${memory}::uuid`,
        clock.now().toISOString(),
      ),
      sql`delete from memories where tenant_id = current_tenant() and id = ${memory}::uuid`,
      owe(memory, 'user:ada', clock.now().toISOString()),
    ]
    const candidates = async () =>
      (await db.asTenant(mine.tenant, [sql`select entity_id from collectable where tenant_id = current_tenant()`]))[0].length
    const entities = async () =>
      (
        await db.asTenant(mine.tenant, [
          sql<{ value: string }>`select value from entities where tenant_id = current_tenant() order by value`,
        ])
      )[0].map((row) => row.value)

    test('an entity goes with the last memory that mentions it, and its removal reaches the graph', async () => {
      const memory = id()
      await remember(db, mine, clock, {
        id: memory,
        entities: ['person:Ada', 'organization:Acme'],
        relations: [['person:Ada', 'works_at', 'organization:Acme']],
      })
      await project(deps, mine.tenant, [memory])
      const ada = (await entityId(db, mine, 'Ada')) as string
      await forget(memory)
      expect(await collect(deps, mine.tenant)).toEqual({ looked: 2, removed: 2 })
      expect(await entities()).toEqual([])
      expect(await ledger(db, mine, ada)).toMatchObject({ kind: 'entity', revision: 2, shown: 1 })
      await project(deps, mine.tenant, { oldest: 10 })
      expect(await deps.graph.counts(mine.tenant, { generations: [1] })).toEqual({ memories: 0, entities: 0, sessions: 0, edges: 0 })
      const [terms] = await db.asTenant(mine.tenant, [sql`select 1 from entity_terms where tenant_id = current_tenant()`])
      expect(terms).toEqual([])
    })

    test('an entity that another memory mentions stays, and is looked at again when that one goes', async () => {
      const [first, second] = [id(), id()]
      await remember(db, mine, clock, { id: first, entities: ['person:Ada'] }, { id: second, entities: ['person:Ada'] })
      await forget(first)
      expect(await collect(deps, mine.tenant)).toEqual({ looked: 1, removed: 0 })
      expect(await candidates()).toBe(0)
      expect(await entities()).toEqual(['Ada'])
      await forget(second)
      expect(await collect(deps, mine.tenant)).toEqual({ looked: 1, removed: 1 })
    })

    test('an entity that is linked anew while its last other mention goes stays', async () => {
      const [first, second] = [id(), id()]
      await remember(db, mine, clock, { id: first, entities: ['person:Ada'] })
      await forget(first)
      await remember(db, mine, clock, { id: second, entities: ['person:Ada'] })
      expect(await collect(deps, mine.tenant)).toEqual({ looked: 1, removed: 0 })
      await project(deps, mine.tenant, [first, second])
      expect(await deps.graph.counts(mine.tenant, { generations: [1] })).toEqual({ memories: 1, entities: 1, sessions: 0, edges: 1 })
    })

    test('an entity that was made for its own sake stays', async () => {
      const memory = id()
      await remember(db, mine, clock, { id: memory, entities: ['person:Ada'] })
      await db.asTenant(mine.tenant, [sql`update entities set explicit = true where tenant_id = current_tenant()`])
      await forget(memory)
      expect(await collect(deps, mine.tenant)).toEqual({ looked: 1, removed: 0 })
      expect(await entities()).toEqual(['Ada'])
    })

    test('an end of a relation stays while the relation does', async () => {
      const [first, second] = [id(), id()]
      await remember(db, mine, clock, { id: first, entities: ['person:Ada', 'organization:Acme'] })
      await remember(db, mine, clock, {
        id: second,
        entities: ['person:Ada', 'organization:Acme'],
        relations: [['person:Ada', 'works_at', 'organization:Acme']],
      })
      await db.asTenant(mine.tenant, [
        markCollectable(sql`select entity_id from memory_entities where tenant_id = current_tenant()`, clock.now().toISOString()),
        sql`delete from memory_entities where tenant_id = current_tenant()`,
      ])
      expect(await collect(deps, mine.tenant)).toEqual({ looked: 2, removed: 0 })
      expect(await entities()).toEqual(['Acme', 'Ada'])
    })

    test('a sweep that comes twice does nothing the second time, and one over nothing does nothing', async () => {
      const memory = id()
      await remember(db, mine, clock, { id: memory, entities: ['person:Ada'] })
      await forget(memory)
      await collect(deps, mine.tenant)
      expect(await collect(deps, mine.tenant)).toEqual({ looked: 0, removed: 0 })
    })

    test('what is left for later is taken by the next sweeps, longest waiting first', async () => {
      const memories = Array.from({ length: 7 }, id)
      for (const [i, memory] of memories.entries()) await remember(db, mine, clock, { id: memory, entities: [`person:Person ${i}`] })
      for (const memory of memories) {
        clock.pass(1000)
        await forget(memory)
      }
      expect(await collect(deps, mine.tenant, 3)).toEqual({ looked: 3, removed: 3 })
      expect(await entities()).toEqual(['Person 3', 'Person 4', 'Person 5', 'Person 6'])
      expect(await collect(deps, mine.tenant, 3)).toEqual({ looked: 3, removed: 3 })
      expect(await collect(deps, mine.tenant, 3)).toEqual({ looked: 1, removed: 1 })
    })

    test('another tenant’s entity of the same name is not touched', async () => {
      const other = await makeTenant(db, randomUUID())
      const [here, there] = [id(), id()]
      await remember(db, mine, clock, { id: here, entities: ['person:Ada'] })
      await remember(db, other, clock, { id: there, entities: ['person:Ada'] })
      await forget(here)
      await collect(deps, other.tenant)
      await collect(deps, mine.tenant)
      expect(await entities()).toEqual([])
      expect(await entityId(db, other, 'Ada')).toBeDefined()
    })
  })
}
