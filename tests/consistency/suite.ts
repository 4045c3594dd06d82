import { randomUUID } from 'node:crypto'
import { check } from '@twofold/core/consistency/check.ts'
import type { Difference } from '@twofold/core/consistency/finding.ts'
import { repair } from '@twofold/core/consistency/repair.ts'
import { scopeOf } from '@twofold/core/consistency/scope.ts'
import { type ProjectDeps, project } from '@twofold/core/graph/project.ts'
import { sql } from '@twofold/core/sql.ts'
import { memory } from '@twofold/graph/contract/scene.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OpenStores, Stores } from '../graph/stores.ts'
import { Clock, depsOf, id, makeTenant, remember, type Tenant } from '../graph/world.ts'
import type { Tamperer, Tampering, Victim } from './tamper.ts'

/** A memory with an entity of its own for each way to damage them, and as many again that nobody touches. */
const TIMES = Number(process.env.TAMPERED_TIMES ?? 1)

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

  /** A tenant whose graph shows all it should, with a victim for each of `count`. */
  async function filled(count: number): Promise<{ mine: Tenant; victims: Victim[] }> {
    const mine = await makeTenant(stores.db, randomUUID())
    const memories = Array.from({ length: count }, (_, i) => ({
      id: id(),
      entities: [`person:Person ${i}`, 'place:Turin'],
      relations: [[`person:Person ${i}`, 'lives_in', 'place:Turin']] as [string, string, string][],
    }))
    for (let i = 0; i < count; i += 50) await remember(stores.db, mine, clock, ...memories.slice(i, i + 50))
    while ((await project(deps, mine.tenant, { oldest: 500 })).length > 0);
    const [entities] = await stores.db.asTenant(mine.tenant, [
      sql<{ id: string; value: string }>`select id, value from entities where tenant_id = current_tenant()`,
    ])
    const named = new Map(entities.map((one) => [one.value, one.id]))
    const person = (i: number) => named.get(`Person ${i % count}`) as string
    // `other` is the entity of an untouched memory. No id is left to chance: sums of one bucket may cancel each other out.
    const victims = memories
      .slice(0, count / 2)
      .map((memory, i) => ({ memory: memory.id, entity: person(i), other: person(i + count / 2), fresh: id() }))
    return { mine, victims }
  }

  const named = (found: readonly Difference[]) =>
    found.map(({ kind, id, what }) => `${kind} ${id} ${what.startsWith('labels') ? 'labels' : ''}`.trim()).sort()
  const expected = (tampered: readonly { tampering: Tampering; victim: Victim }[]) =>
    tampered.flatMap(({ tampering, victim }) => tampering.finds.map(([kind, of]) => `${kind} ${of === 'nobody' ? null : victim[of]}`))

  describe('a graph that was damaged by hand', () => {
    test('in every way there is: a deep check names exactly that, repair repairs exactly that, and nothing is found again', async () => {
      const ways = Array.from({ length: TIMES }, () => tamperer.tamperings).flat()
      const { mine, victims } = await filled(ways.length * 2)
      expect(named(await look(mine, true))).toEqual([])
      const tampered = ways.map((tampering, i) => ({ tampering, victim: victims[i] as Victim }))
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
      expect(await stores.graph.counts(mine.tenant, { generations: [1] })).toEqual({
        memories: ways.length * 2,
        entities: ways.length * 2 + 1,
        sessions: 0,
        edges: ways.length * 6,
      })
    }, 600_000)

    test('in one way alone is found from the sums, and repaired, whichever of those it is that they show', async () => {
      const ways = tamperer.tamperings.filter(({ deep }) => !deep)
      const { mine, victims } = await filled(ways.length * 2)
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
      const { mine, victims } = await filled(8)
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
    const { mine, victims } = await filled(2)
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
    const { mine, victims } = await filled(60)
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
    const { mine, victims } = await filled(4)
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
    const { mine, victims } = await filled(6)
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
