import { GraphStoreError } from '@twofold/core/failures.ts'
import { catchUp } from '@twofold/core/graph/catch-up.ts'
import type { GraphSession } from '@twofold/core/graph/port.ts'
import { MOST_ROWS, project } from '@twofold/core/graph/project.ts'
import { showNow } from '@twofold/core/graph/wait.ts'
import { sql } from '@twofold/core/sql.ts'
import { describe, expect, test } from 'vitest'
import { scene } from './scene.ts'
import type { OpenStores } from './stores.ts'
import { entityId, id, ledger, type Remembered, remember } from './world.ts'

/** What is brought into the graph as part of a session. */
export function sessionTests(open: OpenStores): void {
  describe('sessions', () => {
    const it = scene(open)
    const know = (...memories: Remembered[]) => remember(it.db, it.mine, it.clock, ...memories)
    const inAtomic = <T>(work: (session: GraphSession) => Promise<T>) => it.graph.session('atomic', work)
    const projected = (session: GraphSession, ...ids: string[]) => project(it.deps, it.mine.tenant, ids, { session })
    const noted = (memory: string) => ledger(it.db, it.mine, memory)
    const counted = () => [it.graph.applied.length, it.graph.sessions.size]

    describe('that are used again', () => {
      test('a hundred memories with two entities each are one transaction in one session', async () => {
        const memories = Array.from({ length: 100 }, (_, i) => ({ id: id(), entities: [`person:Person ${i}`, `organization:House ${i}`] }))
        await know(...memories)
        const ids = memories.map((memory) => memory.id)
        expect(await showNow(it.deps, it.mine.tenant, ids)).toEqual(new Set(ids))
        expect(it.graph.applied.map((batch) => batch.length)).toEqual([300])
        expect(it.graph.sessions).not.toContain(undefined)
        expect(await it.counts()).toEqual({ memories: 100, entities: 200, sessions: 0, edges: 200 })
      })

      test('all attempts to show something now share one', async () => {
        const memory = id()
        await know({ id: memory })
        let moves = 0
        it.graph.before = async () => {
          if (++moves < 4) await know({ id: memory, entities: [`person:Person ${moves}`] })
        }
        await showNow(it.deps, it.mine.tenant, [memory])
        const [applied] = counted() as [number]
        it.graph.before = null
        await know({ id: memory, entities: ['person:Ada'] })
        await it.graph.session('reuse', (session) => showNow(it.deps, it.mine.tenant, [memory], { session }))
        expect(counted()).toEqual([applied + 1, 2])
      })

      test('where nothing is leased the graph is not asked', async () => {
        const memory = id()
        await know({ id: memory })
        await it.show(memory)
        await showNow(it.deps, it.mine.tenant, [memory])
        expect(counted()).toEqual([1, 1])
      })

      test('so do all transactions of one run that catches up, and of one that isolates a poison row', async () => {
        await know(...Array.from({ length: MOST_ROWS + 1 }, () => ({ id: id() })))
        await catchUp(it.deps, it.mine.tenant, new Date('2030-01-01'))
        expect(counted()).toEqual([2, 1])
        const [bad, good] = [id(), id()]
        await know({ id: bad }, { id: good })
        it.graph.before = (ids) => {
          if (ids.includes(bad)) throw new GraphStoreError('apply', { retryable: false })
        }
        expect(await it.states(bad, good)).toEqual(
          new Map([
            [bad, 'failed'],
            [good, 'shown'],
          ]),
        )
        expect(counted()).toEqual([3, 2])
      })
    })

    describe('that are atomic', () => {
      test('show nothing before their end, then everything, and the ledger says so in both cases', async () => {
        const [one, two] = [id(), id()]
        await know({ id: one, entities: ['person:Ada'] }, { id: two, entities: ['person:Ada'] })
        await inAtomic(async (session) => {
          expect(await projected(session, one)).toContainEqual({ id: one, state: 'owed', retryable: false, revision: 1, shown: 0 })
          await projected(session, two)
          const own = await it.graph.counts(it.mine.tenant, { generations: [1], session })
          expect(own).toEqual({ memories: 2, entities: 1, sessions: 0, edges: 2 })
          expect(await it.counts()).toEqual({ memories: 0, entities: 0, sessions: 0, edges: 0 })
          expect((await noted(one)).shown).toBe(0)
          expect(new Set((await it.states(one, two)).values())).toEqual(new Set(['taken']))
        })
        expect(await it.counts()).toEqual({ memories: 2, entities: 1, sessions: 0, edges: 2 })
        for (const memory of [one, two]) expect(await noted(memory)).toMatchObject({ shown: 1, shown_version: 1, lease: null, attempts: 0 })
      })

      test('take every row named, however many', async () => {
        const memories = Array.from({ length: MOST_ROWS + 1 }, () => ({ id: id() }))
        await know(...memories)
        await inAtomic((session) => projected(session, ...memories.map((memory) => memory.id)))
        expect(counted()).toEqual([2, 1])
        expect(await it.counts()).toMatchObject({ memories: MOST_ROWS + 1 })
        expect((await project(it.deps, it.mine.tenant, { oldest: 10 })).length).toBe(0)
      })

      test('leave nothing when they throw: the rows are owed as before and free for anybody at once', async () => {
        const [shown, fresh] = [id(), id()]
        await know({ id: shown })
        await it.show(shown)
        await know({ id: shown, content: 'again' }, { id: fresh, entities: ['person:Ada'] })
        const trouble = new Error('second thoughts')
        const work = inAtomic(async (session) => {
          await projected(session, shown, fresh)
          throw trouble
        })
        await expect(work).rejects.toBe(trouble)
        expect(await it.counts()).toEqual({ memories: 1, entities: 0, sessions: 0, edges: 0 })
        expect(await noted(shown)).toMatchObject({ revision: 2, shown: 1, lease: null, attempts: 0 })
        expect(await noted(fresh)).toMatchObject({ revision: 1, shown: 0, lease: null, attempts: 0, failure: null })
        expect(new Set((await it.states(shown, fresh)).values())).toEqual(new Set(['shown']))
      })

      test.each([
        ['refuses', false],
        ['cannot be reached for', true],
      ])('throw what the graph %s, without a second attempt at a part of it', async (_, retryable) => {
        const [good, bad] = [id(), id()]
        await know({ id: good }, { id: bad })
        let attempts = 0
        it.graph.before = (ids) => {
          if (!ids.includes(bad)) return
          attempts++
          throw new GraphStoreError('apply', { retryable })
        }
        const work = inAtomic(async (session) => {
          await projected(session, good)
          await projected(session, bad)
        })
        await expect(work).rejects.toMatchObject({ name: 'GraphStoreError', retryable })
        expect(attempts).toBe(1)
        expect(await it.counts()).toMatchObject({ memories: 0 })
        for (const memory of [good, bad]) expect(await noted(memory)).toMatchObject({ shown: 0, lease: null, attempts: 0 })
      })

      test('settle nothing that did not get as far as the graph, whatever their work makes of it', async () => {
        const [written, not] = [id(), id()]
        await know({ id: written }, { id: not })
        it.graph.before = (ids) => {
          if (ids.includes(not)) throw new TypeError('a mistake of the program')
        }
        await inAtomic(async (session) => {
          await projected(session, written)
          await projected(session, not).catch(() => undefined)
        })
        expect(await it.counts()).toMatchObject({ memories: 1 })
        expect(await noted(written)).toMatchObject({ shown: 1, lease: null })
        expect(await noted(not)).toMatchObject({ shown: 0, lease: null, attempts: 0 })
      })

      test('leave a row owed that moved meanwhile', async () => {
        const memory = id()
        await know({ id: memory })
        await inAtomic(async (session) => {
          await projected(session, memory)
          await know({ id: memory, content: 'again' })
        })
        expect(await noted(memory)).toMatchObject({ revision: 2, shown: 1, lease: null })
        expect(await it.states(memory)).toEqual(new Map([[memory, 'shown']]))
      })

      test('write and settle nothing for a lease that ran out before', async () => {
        const memory = id()
        await know({ id: memory, entities: ['person:Old'] })
        it.graph.before = async () => {
          it.graph.before = null
          it.clock.pass(31_000)
          await know({ id: memory, entities: ['person:New'] })
          await it.show(memory)
        }
        await inAtomic((session) => projected(session, memory))
        expect(await noted(memory)).toMatchObject({ revision: 2, shown: 2, shown_version: 2 })
        expect(await it.reach(memory)).toEqual([memory, await entityId(it.db, it.mine, 'New')])
      })

      test('have less time than what is left of the lease, and give up where nothing is', async () => {
        const memory = id()
        await know({ id: memory })
        const given: (number | undefined)[] = []
        it.graph.before = (_, options) => void given.push(options.timeoutMs)
        await inAtomic(async (session) => {
          it.clock.pass(1000)
          await projected(session, memory)
        })
        expect(given).toEqual([0.8 * it.deps.settings.leaseMs])
        await know({ id: memory, content: 'again' })
        const slow = {
          ...it.deps,
          db: {
            ...it.db,
            asTenant: (async (tenant: string, list: []) => {
              const rows = await it.db.asTenant(tenant, list)
              it.clock.pass(29_000)
              return rows
            }) as typeof it.db.asTenant,
          },
        }
        const work = inAtomic((session) => project(slow, it.mine.tenant, [memory], { session }))
        await expect(work).rejects.toMatchObject({ name: 'GraphStoreError', retryable: true })
        expect(given).toHaveLength(1)
        expect(await noted(memory)).toMatchObject({ revision: 2, shown: 1, lease: null })
      })

      test('whose outcome cannot be noted throw, and the next writer finds it done', async () => {
        const memory = id()
        await know({ id: memory, entities: ['person:Ada'] })
        let down = false
        const deps = {
          ...it.deps,
          db: {
            ...it.db,
            asTenant: (async (tenant: string, list: []) => {
              if (down) throw new TypeError('the database is away')
              return it.db.asTenant(tenant, list)
            }) as typeof it.db.asTenant,
          },
        }
        const work = it.stores.graph.session('atomic', async (session) => {
          await project(deps, it.mine.tenant, [memory], { session })
          down = true
        })
        await expect(work).rejects.toThrow('the database is away')
        expect(await it.counts()).toMatchObject({ memories: 1, entities: 1 })
        expect(await noted(memory)).toMatchObject({ shown: 0 })
        expect((await it.show(memory)).find((outcome) => outcome.id === memory)?.state).toBe('taken')
        it.clock.pass(31_000)
        expect(new Set((await it.states(memory)).values())).toEqual(new Set(['shown']))
        expect(await it.reach(memory)).toHaveLength(2)
      })

      test('cannot be waited in for what they show only at their end', async () => {
        const memory = id()
        await know({ id: memory })
        const work = inAtomic((session) => showNow(it.deps, it.mine.tenant, [memory], { session }))
        await expect(work).rejects.toThrow(/once it has ended/)
      })

      test('bring what a deletion owes into the graph together with what takes its place', async () => {
        const [old, next] = [id(), id()]
        await know({ id: old, entities: ['person:Ada'] })
        await it.show(old)
        const now = it.clock.now().toISOString()
        await it.db.asTenant(it.mine.tenant, [
          sql`delete from memories where tenant_id = current_tenant() and id = ${old}::uuid`,
          sql`select owe('memory', array[${old}::uuid], array['user:ada'], ${now}::timestamptz)`,
        ])
        await know({ id: next, entities: ['person:Ada'] })
        await inAtomic((session) => projected(session, old, next))
        expect(await it.reach((await entityId(it.db, it.mine, 'Ada')) as string)).toEqual([await entityId(it.db, it.mine, 'Ada'), next])
        expect(await noted(old)).toMatchObject({ revision: 2, shown: 2, tombstone_at: now })
      })
    })
  })
}
