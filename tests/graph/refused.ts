import { randomUUID } from 'node:crypto'
import { GraphStoreError } from '@twofold/core/failures.ts'
import { project } from '@twofold/core/graph/project.ts'
import { showNow } from '@twofold/core/graph/wait.ts'
import { sql } from '@twofold/core/sql.ts'
import { describe, expect, test } from 'vitest'
import { scene } from './scene.ts'
import type { OpenStores } from './stores.ts'
import { id, ledger, remember } from './world.ts'

/** When the graph cannot be reached, or refuses, or somebody waits for it. */
export function refusedTests(open: OpenStores): void {
  describe('what is not shown at once', () => {
    const it = scene(open)

    describe('a graph that cannot be reached', () => {
      test('costs no attempt, and everything stays owed and free', async () => {
        const memories = [id(), id(), id()]
        await remember(it.db, it.mine, it.clock, ...memories.map((memory) => ({ id: memory })))
        it.graph.before = () => {
          throw new GraphStoreError('apply', { retryable: true })
        }
        for (let i = 0; i < 10; i++) {
          expect(await it.show(...memories)).toMatchObject(memories.map((memory) => ({ id: memory, state: 'failed', retryable: true })))
        }
        expect(await ledger(it.db, it.mine, memories[0] as string)).toMatchObject({
          shown: 0,
          lease: null,
          attempts: 0,
          parked_at: null,
          not_before: null,
        })
        it.graph.before = null
        expect(new Set((await it.states(...memories)).values())).toEqual(new Set(['shown']))
      })

      test('in the middle of isolating a poison row keeps what was written, and blames nobody for the rest', async () => {
        const memories = Array.from({ length: 8 }, id)
        await remember(it.db, it.mine, it.clock, ...memories.map((memory) => ({ id: memory })))
        it.graph.before = (batch) => {
          if (batch.length === 8) throw new GraphStoreError('apply', { retryable: false })
          if (batch.includes(memories[4] as string)) throw new GraphStoreError('apply', { retryable: true })
        }
        const found = await it.states(...memories)
        expect([...found.values()]).toEqual([...Array(4).fill('shown'), ...Array(4).fill('failed')])
        expect(await ledger(it.db, it.mine, memories[7] as string)).toMatchObject({ lease: null, attempts: 0, failure: null })
      })
    })

    describe('a graph without room for so much at once', () => {
      const holds = (most: number) => {
        it.graph.before = (batch) => {
          if (batch.length > most) throw new GraphStoreError('apply', { retryable: true, tooLarge: true })
        }
      }

      test('gets it in parts', async () => {
        const memories = Array.from({ length: 40 }, id)
        await remember(it.db, it.mine, it.clock, ...memories.map((memory) => ({ id: memory })))
        holds(6)
        expect(new Set((await it.states(...memories)).values())).toEqual(new Set(['shown']))
      })

      test('of even one row is owed it, without an attempt that counts', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory })
        holds(0)
        expect(await it.show(memory)).toMatchObject([{ state: 'failed', retryable: true }])
        expect(await ledger(it.db, it.mine, memory)).toMatchObject({ shown: 0, lease: null, attempts: 0, parked_at: null })
        it.graph.before = null
      })
    })

    describe('a poison row', () => {
      const poison = (...rows: string[]) => {
        it.graph.before = (batch) => {
          if (batch.some((row) => rows.includes(row)))
            throw new GraphStoreError('apply', { retryable: false, cause: { code: '22021', message: 'the secret content' } })
        }
      }

      test('is found by halving, and takes no other with it', async () => {
        const memories = Array.from({ length: 100 }, id)
        await remember(it.db, it.mine, it.clock, ...memories.map((memory) => ({ id: memory })))
        const bad = [memories[17], memories[18], memories[99]] as string[]
        poison(...bad)
        const found = await it.states(...memories)
        for (const memory of memories) expect(found.get(memory)).toBe(bad.includes(memory) ? 'failed' : 'shown')
        expect(it.graph.applied.length).toBeLessThan(25)
        expect(await ledger(it.db, it.mine, bad[0] as string)).toMatchObject({
          shown: 0,
          lease: null,
          attempts: 1,
          failure: 'apply failed (22021)',
        })
      })

      test('is tried again later and later, then parked until it changes', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory })
        poison(memory)
        const waits: number[] = []
        for (let attempt = 1; attempt <= 5; attempt++) {
          expect(await it.show(memory)).toMatchObject([{ state: 'failed', retryable: false }])
          const { attempts, not_before } = await ledger(it.db, it.mine, memory)
          expect(attempts).toBe(attempt)
          waits.push(Date.parse(not_before as string) - it.clock.now().getTime())
          expect((await it.show(memory))[0]?.state).toBe('failed')
          expect((await ledger(it.db, it.mine, memory)).attempts).toBe(attempt)
          it.clock.pass(waits.at(-1) as number)
        }
        expect(waits).toEqual([2000, 4000, 8000, 16_000, 32_000])
        expect((await ledger(it.db, it.mine, memory)).parked_at).not.toBeNull()
        it.graph.before = null
        expect(await it.states(memory)).toEqual(new Map([[memory, 'failed']]))
        expect(await project(it.deps, it.mine.tenant, { oldest: 10 })).toEqual([])
        await remember(it.db, it.mine, it.clock, { id: memory, content: 'harmless' })
        expect(await it.states(memory)).toEqual(new Map([[memory, 'shown']]))
        expect(await ledger(it.db, it.mine, memory)).toMatchObject({ attempts: 0, parked_at: null, failure: null, not_before: null })
      })

      test('that was mended while it was refused is not held back', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory })
        it.graph.before = async () => {
          it.graph.before = null
          await remember(it.db, it.mine, it.clock, { id: memory, content: 'mended' })
          throw new GraphStoreError('apply', { retryable: false })
        }
        await it.show(memory)
        expect(await it.states(memory)).toEqual(new Map([[memory, 'shown']]))
      })
    })

    describe('waiting for the graph', () => {
      test('answers what is shown, entities included', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory, entities: ['person:Ada'] })
        expect(await showNow(it.deps, it.mine.tenant, [memory])).toEqual(new Set([memory]))
        expect(await it.reach(memory)).toHaveLength(2)
      })

      test('waits for another writer who has the row, and takes over when his lease ends', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory })
        await it.db.asTenant(it.mine.tenant, [
          sql`update ledger set lease = ${randomUUID()}::uuid, leased_until = ${new Date(it.clock.now().getTime() + 1000).toISOString()}::timestamptz
        where tenant_id = current_tenant() and id = ${memory}::uuid`,
        ])
        const ticking = { ...it.deps, now: () => it.clock.tick(50) }
        expect(await showNow(ticking, it.mine.tenant, [memory])).toEqual(new Set([memory]))
      })

      test('ends at the deadline, and says what is not shown', async () => {
        const [taken, free] = [id(), id()]
        await remember(it.db, it.mine, it.clock, { id: taken }, { id: free })
        await it.db.asTenant(it.mine.tenant, [
          sql`update ledger set lease = ${randomUUID()}::uuid, leased_until = '2030-01-01' where tenant_id = current_tenant() and id = ${taken}::uuid`,
        ])
        const ticking = { ...it.deps, now: () => it.clock.tick(200) }
        expect(await showNow(ticking, it.mine.tenant, [taken, free])).toEqual(new Set([free]))
      })

      test('does not wait where that cannot help', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory })
        let attempts = 0
        it.graph.before = () => {
          attempts++
          throw new GraphStoreError('apply', { retryable: true })
        }
        expect(await showNow(it.deps, it.mine.tenant, [memory])).toEqual(new Set())
        expect(attempts).toBe(1)
      })

      test('is content with the revision it came for, whoever goes on changing the row', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory })
        it.graph.before = () => remember(it.db, it.mine, it.clock, { id: memory, content: 'again' })
        expect(await showNow(it.deps, it.mine.tenant, [memory])).toEqual(new Set([memory]))
        expect(await ledger(it.db, it.mine, memory)).toMatchObject({ revision: 2, shown: 1 })
      })
    })
  })
}
