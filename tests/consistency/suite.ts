import { check } from '@twofold/core/consistency/check.ts'
import type { Difference } from '@twofold/core/consistency/difference.ts'
import { repair } from '@twofold/core/consistency/repair.ts'
import { scopeOf } from '@twofold/core/consistency/scope.ts'
import { type ProjectDeps, project } from '@twofold/core/graph/project.ts'
import { sql } from '@twofold/core/sql.ts'
import { memory } from '@twofold/graph/contract/scene.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OpenStores, Stores } from '../graph/stores.ts'
import { Clock, depsOf, remember, type Tenant } from '../graph/world.ts'
import { filled } from './filled.ts'
import type { Tamperer, Tampering, Victim } from './tamper.ts'

/** How many are damaged of how many memories. A native server fills a graph of a size where one in a hundred is damaged. */
const SIZES: [string, { victims?: number; memories?: number }][] = [['each once', {}]]
if (process.env.TEST_DATABASE_URL) SIZES.push(['one in a hundred of 20,000 memories', { victims: 200, memories: 20_000 }])

export function consistencyTests(open: OpenStores, tamper: (stores: Stores) => Tamperer): void {
  let stores: Stores
  let tamperer: Tamperer
  let deps: ProjectDeps
  const clock = new Clock()
  beforeAll(async () => {
    stores = await open(() => clock.now())
    tamperer = tamper(stores)
    deps = depsOf(stores.db, stores.graph, clock)
  })
  afterAll(async () => {
    await tamperer?.close()
    await stores?.close()
  })

  async function look({ tenant }: Tenant, deep: boolean, prefixes = ['*']): Promise<Difference[]> {
    return stores.graph.session('reuse', async (session) => {
      const found: Difference[] = []
      for await (const slice of check(deps, tenant, { scope: scopeOf(prefixes), deep, from: 0, session, timeoutMs: 60_000 }))
        found.push(...slice.differences)
      return found
    })
  }
  const mend = ({ tenant }: Tenant, found: Difference[]) =>
    stores.graph.session('reuse', (session) => repair(deps, tenant, found, { session }))
  const revisions = async ({ tenant }: Tenant) => {
    const [rows] = await stores.db.asTenant(tenant, [
      sql<{ id: string; revision: number }>`select id, revision from ledger where tenant_id = current_tenant()`,
    ])
    return new Map(rows.map((row) => [row.id, row.revision]))
  }

  /** A tenant with so many victims, and as many memories again that nobody touches unless told how many. */
  const filledWith = (victims: number, memories = victims * 2) => filled(deps, { memories, victims })

  const named = (found: readonly Difference[]) =>
    found.map(({ kind, id, what }) => `${kind} ${id} ${what.startsWith('labels') ? 'labels' : ''}`.trim()).sort()
  const expected = (tampered: readonly { tampering: Tampering; victim: Victim }[]) =>
    tampered.flatMap(({ tampering, victim }) => tampering.finds.map(([kind, of]) => `${kind} ${of === 'nobody' ? null : victim[of]}`))

  describe('a graph that was damaged by hand', () => {
    test.each(SIZES)(
      'in every way there is, %s: a deep check names exactly that, repair repairs exactly that, and nothing is found again',
      async (_, many) => {
        const ways = tamperer.tamperings
        const { mine, victims, memories, entities } = await filledWith(many.victims ?? ways.length, many.memories)
        const tampered = victims.map((victim, i) => ({ victim, tampering: ways[i % ways.length] as Tampering }))
        for (const { tampering, victim } of tampered) await tamperer.run(mine.tenant, tampering, victim)
        const before = await revisions(mine)
        const found = await look(mine, true)
        expect(kindsOf(found)).toEqual([...new Set(expected(tampered))].sort())
        const seen = new Set(kindsOf(await look(mine, false)))
        expect(expected(tampered.filter(({ tampering }) => !tampering.deep)).filter((one) => !seen.has(one))).toEqual([])
        expect((await mend(mine, found)).failed).toEqual([])
        const after = await revisions(mine)
        const owed = tampered.flatMap(({ tampering, victim }) =>
          (tampering.owes ?? tampering.finds.map(([, of]) => of as keyof Victim)).map((of) => victim[of]),
        )
        expect(
          [...after]
            .filter(([id, revision]) => before.get(id) !== revision)
            .map(([id]) => id)
            .sort(),
        ).toEqual([...new Set(owed)].sort())
        expect(named(await look(mine, true))).toEqual([])
        const all = { memories, entities, sessions: 0, edges: memories * 3 }
        expect(await stores.graph.counts(mine.tenant, { generations: [1] })).toEqual(all)
      },
      600_000,
    )

    test('in one way alone is found from the sums, and repaired, whichever of those it is that they show', async () => {
      const ways = tamperer.tamperings.filter(({ deep }) => !deep)
      const { mine, victims } = await filledWith(ways.length)
      for (const [i, tampering] of ways.entries()) {
        const victim = victims[i] as Victim
        await tamperer.run(mine.tenant, tampering, victim)
        const found = await look(mine, false)
        expect([tampering.name, kindsOf(found)]).toEqual([tampering.name, [...new Set(expected([{ tampering, victim }]))].sort()])
        await mend(mine, found)
        expect([tampering.name, named(await look(mine, false))]).toEqual([tampering.name, []])
      }
    }, 300_000)

    test('is not touched by looking, whatever there is to be found', async () => {
      const { mine, victims } = await filledWith(4)
      for (const [i, tampering] of tamperer.tamperings.slice(0, 4).entries())
        await tamperer.run(mine.tenant, tampering, victims[i] as Victim)
      const before = await revisions(mine)
      const found = named(await look(mine, true))
      expect(named(await look(mine, true))).toEqual(found)
      expect(await revisions(mine)).toEqual(before)
    })
  })

  const kindsOf = (found: readonly Difference[]) => [...new Set(found.map(({ kind, id }) => `${kind} ${id}`))].sort()

  test('a graph that shows another version than it should is stale, and shows the right one after the repair', async () => {
    const { mine, victims } = await filledWith(1)
    const [{ memory: shown }] = victims as [Victim]
    await stores.graph.apply(mine.tenant, [memory(shown, [], { bucket: Number.parseInt(shown.slice(-3), 16) & 1023 })], {
      generations: [1],
    })
    const found = await look(mine, false)
    expect(found).toMatchObject([{ kind: 'stale', id: shown, what: 'memory', remedy: 'project' }])
    expect(await mend(mine, found)).toMatchObject({ repaired: [{ id: shown }], failed: [] })
    expect(await look(mine, true)).toEqual([])
  })

  test('a check beside writers, deleters and graph writers finds nothing', async () => {
    const { mine, victims } = await filledWith(30)
    let going = true
    const write = async () => {
      for (let i = 0; going; i++) {
        const { memory } = victims[i % victims.length] as Victim
        const now = clock.now().toISOString()
        if (i % 5 === 4) {
          await stores.db.asTenant(mine.tenant, [
            sql`update memories set deleted_at = ${now}::timestamptz where tenant_id = current_tenant() and id = ${memory}::uuid`,
            sql`select owe('memory', array[${memory}::uuid], array['user:ada'], ${now}::timestamptz)`,
          ])
        } else await remember(stores.db, mine, clock, { id: memory, content: `version ${i}`, entities: [`person:New ${i}`] })
      }
    }
    const show = async () => {
      while (going) await project(deps, mine.tenant, { oldest: 20 })
    }
    const work = [write(), write(), show(), show()]
    try {
      for (let i = 0; i < 10; i++) expect(named(await look(mine, i % 2 === 0))).toEqual([])
    } finally {
      going = false
      await Promise.all(work)
    }
    while ((await project(deps, mine.tenant, { oldest: 500 })).length > 0);
    expect(named(await look(mine, true))).toEqual([])
  }, 300_000)

  test('what changes between check and repair is left to whoever changed it', async () => {
    const { mine, victims } = await filledWith(2)
    const [victim] = victims as [Victim]
    await tamperer.run(mine.tenant, tamperer.tamperings[0] as Tampering, victim)
    const found = await look(mine, false)
    await remember(stores.db, mine, clock, { id: victim.memory, content: 'newer' })
    expect((await mend(mine, found)).failed).toEqual([])
    expect((await revisions(mine)).get(victim.memory)).toBe(2)
    expect((await mend(mine, found)).failed).toEqual([])
    expect(await look(mine, true)).toEqual([])
  })

  test('a check that goes on from where one stopped sees the rest', async () => {
    const { mine, victims } = await filledWith(3)
    await tamperer.run(mine.tenant, tamperer.tamperings[0] as Tampering, victims[0] as Victim)
    const bucket = Number.parseInt((victims[0] as Victim).memory.slice(-3), 16) & 1023
    const from = async (start: number) => {
      const slices = []
      for await (const slice of check(deps, mine.tenant, {
        scope: scopeOf(['*']),
        deep: false,
        from: start,
        session: undefined as never,
        timeoutMs: 60_000,
      }))
        slices.push(slice)
      return slices.flatMap((slice) => slice.differences.map((one) => one.id))
    }
    expect(await from(bucket)).toEqual([(victims[0] as Victim).memory])
    expect(await from(bucket + 1)).toEqual([])
  })
}
