import { randomUUID } from 'node:crypto'
import { beginNightly } from '@twofold/core/consistency/by-itself.ts'
import { check } from '@twofold/core/consistency/check.ts'
import type { Difference } from '@twofold/core/consistency/difference.ts'
import { dropRetired, RETIRED_MS } from '@twofold/core/consistency/retire.ts'
import { beginRun, readRun } from '@twofold/core/consistency/run.sql.ts'
import { type Advanced, advance, goOn } from '@twofold/core/consistency/run.ts'
import { scopeOf } from '@twofold/core/consistency/scope.ts'
import { project } from '@twofold/core/graph/project.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { OpenStores, Stores } from '../graph/stores.ts'
import { Clock, depsOf, entityId, id, makeTenant, remember, type Tenant } from '../graph/world.ts'
import { random } from '../random.ts'

const EVERYWHERE = [{ low: '', high: '\u{10FFFF}' }]
/** Never touched again once they are there, so every reader must see them at any moment. */
const STEADY = 60

/** What a rebuild of a tenant owes to those who read and write meanwhile. */
export function rebuildTests(open: OpenStores): void {
  const clock = new Clock()
  let stores: Stores
  let deps: Deps
  let mine: Tenant
  beforeAll(async () => {
    stores = await open(() => clock.now())
    // Runs that adopt nothing ask for no more than this.
    deps = depsOf(stores.db, stores.graph, clock) as Deps
  })
  afterAll(() => stores?.close())
  beforeEach(async () => {
    mine = await makeTenant(stores.db, randomUUID())
    const memories = Array.from({ length: STEADY }, () => ({ id: id(), entities: ['place:Turin'] }))
    await remember(stores.db, mine, clock, ...memories)
    await caughtUp()
  })

  const caughtUp = async () => {
    while ((await project(deps, mine.tenant, { oldest: 500 })).length > 0);
  }
  const begin = async (): Promise<string> => {
    const run = deps.id()
    const options = { limit: 100, dryRun: false, deep: false, adopt: false, clearExisting: true }
    await stores.db.asTenant(mine.tenant, [
      beginRun(
        { id: run, operation: 'rebuild', options, prefixes: ['*'], asked_by: null, exclusive: true },
        null,
        clock.now().toISOString(),
      ),
    ])
    return run
  }
  const step = (run: string) => advance(deps, mine.tenant, run, { until: new Date(0) })
  const standing = async (run: string) => (await stores.db.asTenant(mine.tenant, [readRun(run)]))[0][0]
  const generations = async () =>
    (await stores.db.asTenant(mine.tenant, [sql<{ generations: number[] }>`select generations from graph_state()`]))[0][0]?.generations ??
    []
  const finish = async (run: string) => {
    for (let i = 0; i < 100 && !(await standing(run))?.ended_at; i++) {
      await caughtUp()
      clock.pass(3_000)
      await goOn(deps, mine.tenant, { until: new Date(clock.now().getTime() + 60_000) })
    }
    return standing(run)
  }
  const disagreements = async (): Promise<Difference[]> =>
    stores.graph.session('reuse', async (session) => {
      const found: Difference[] = []
      const looking = { scope: scopeOf(['*']), deep: true, from: 0, session, timeoutMs: 60_000 }
      for await (const slice of check(deps, mine.tenant, looking)) found.push(...slice.differences)
      return found
    })
  /** As a reader asks: which generation first, then that one. */
  const around = async (entity: string): Promise<number> => {
    const reading = { start: [entity], ranges: EVERYWHERE, via: [], direction: 'both' as const, hops: 1, limit: 500 }
    return (await stores.graph.traverse(mine.tenant, reading, { generations: await generations() })).nodes.length - 1
  }

  describe('a rebuild', () => {
    test('beside writers, deleters, graph writers and readers is seen by none of them, and ends with both stores equal', async () => {
      const turin = (await entityId(stores.db, mine, 'Turin')) as string
      const changing = Array.from({ length: 20 }, () => id())
      const next = random(7)
      let going = true
      const write = async () => {
        for (let i = 0; going; i++) {
          const memory = changing[Math.floor(next() * changing.length)] as string
          const now = clock.now().toISOString()
          if (i % 4 === 3)
            await stores.db.asTenant(mine.tenant, [
              sql`update memories set deleted_at = ${now}::timestamptz where tenant_id = current_tenant() and id = ${memory}::uuid`,
              sql`select owe('memory', array[${memory}::uuid], array['user:ada'], ${now}::timestamptz) where exists (
                select from memories m where m.tenant_id = current_tenant() and m.id = ${memory}::uuid)`,
            ])
          else await remember(stores.db, mine, clock, { id: memory, content: `version ${i}`, entities: [`person:New ${i % 50}`] })
        }
      }
      const show = async () => {
        while (going) await project(deps, mine.tenant, { oldest: 20 })
      }
      const seen: number[] = []
      const read = async () => {
        while (going) seen.push(await around(turin))
      }
      const work = [write(), write(), show(), show(), read()]
      let steps = 0
      try {
        for (let rebuilds = 0; rebuilds < 3; rebuilds++) {
          const run = await begin()
          for (let advanced: Advanced | null; !(await standing(run))?.ended_at; steps++) {
            advanced = await step(run)
            // It waits for what is leased; time passes, and somebody else comes.
            if (advanced === null) clock.pass(1_000)
          }
          expect(await standing(run)).toMatchObject({ outcome: 'success' })
        }
      } finally {
        going = false
        await Promise.all(work)
      }
      expect(steps).toBeGreaterThan(12)
      expect([...new Set(seen)]).toEqual([STEADY])
      await caughtUp()
      expect(await generations()).toEqual([4])
      expect(await disagreements()).toEqual([])
    }, 300_000)

    test('a writer that leased before it began settles nothing, and nothing of his is missing at the end', async () => {
      const memory = id()
      await remember(stores.db, mine, clock, { id: memory, entities: ['place:Rome'] })
      const { graph } = stores
      let run = ''
      const stalled = {
        ...graph,
        // It has its lease and is about to write, to the one generation that it knows of.
        apply: async (...args: Parameters<typeof graph.apply>) => {
          run = await begin()
          await step(run)
          await graph.apply(...args)
        },
      }
      const outcomes = await project({ ...deps, graph: stalled }, mine.tenant, [memory])
      expect(outcomes.map(({ state }) => state)).not.toContain('shown')
      expect(await finish(run)).toMatchObject({ outcome: 'success' })
      expect(await disagreements()).toEqual([])
      expect(await around((await entityId(stores.db, mine, 'Rome')) as string)).toBe(1)
    })

    test('leaves nothing of a generation once it is gone, in slices', async () => {
      const run = await begin()
      await finish(run)
      const held = (generation: number) => stores.graph.counts(mine.tenant, { generations: [generation] })
      expect(await held(1)).toEqual(await held(2))
      expect(await dropRetired(deps, mine.tenant, clock.tick(RETIRED_MS - 1))).toBe(0)
      clock.pass(RETIRED_MS)
      expect(await dropRetired(deps, mine.tenant, new Date(clock.now().getTime() + 60_000))).toBeGreaterThan(STEADY)
      expect(await held(1)).toEqual({ memories: 0, entities: 0, sessions: 0, edges: 0 })
      expect(await held(2)).toMatchObject({ memories: STEADY, entities: 1, edges: STEADY })
      expect(await disagreements()).toEqual([])
    })

    test('and a nightly look may go on beside each other', async () => {
      const run = await begin()
      await beginNightly(deps, mine.tenant)
      await finish(run)
      await goOn(deps, mine.tenant, { until: new Date(clock.now().getTime() + 60_000) })
      const [open] = await stores.db.asTenant(mine.tenant, [
        sql`select id from sync_runs where tenant_id = current_tenant() and ended_at is null`,
      ])
      expect(open).toEqual([])
      expect(await disagreements()).toEqual([])
    })
  })
}
