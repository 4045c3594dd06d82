import { randomUUID } from 'node:crypto'
import { project } from '@twofold/core/graph/project.ts'
import { purgeTombstones } from '@twofold/core/graph/purge.ts'
import { sql } from '@twofold/core/sql.ts'
import { describe, expect, test } from 'vitest'
import { scene } from './scene.ts'
import type { OpenStores } from './stores.ts'
import { depsOf, entityId, id, ledger, makeTenant, owe, remember, type Watched } from './world.ts'

/** From owed to shown, whatever comes between. */
export function ledgerTests(open: OpenStores): void {
  describe('the ledger and the graph', () => {
    const it = scene(open)

    describe('bringing what is owed into the graph', () => {
      test('a memory takes its owed entities along, in one graph write, and the ledger notes what is shown', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, {
          id: memory,
          entities: ['person:Ada', 'organization:Acme'],
          relations: [['person:Ada', 'works_at', 'organization:Acme']],
        })
        const outcomes = await it.show(memory)
        expect(outcomes).toHaveLength(3)
        expect(outcomes.every(({ state }) => state === 'shown')).toBe(true)
        expect(it.graph.applied).toHaveLength(1)
        expect(await it.counts()).toEqual({ memories: 1, entities: 2, sessions: 0, edges: 3 })
        expect(await ledger(it.db, it.mine, memory)).toMatchObject({
          revision: 1,
          shown: 1,
          shown_version: 1,
          lease: null,
          attempts: 0,
          tombstone_at: null,
        })
      })

      test('a hundred updates of one memory become one graph write', async () => {
        const memory = id()
        for (let i = 0; i < 100; i++) await remember(it.db, it.mine, it.clock, { id: memory, content: `version ${i + 1}` })
        expect(await ledger(it.db, it.mine, memory)).toMatchObject({ revision: 100, shown: 0 })
        await project(it.deps, it.mine.tenant, { oldest: 50 })
        expect(it.graph.applied).toEqual([[memory]])
        expect(await ledger(it.db, it.mine, memory)).toMatchObject({ revision: 100, shown: 100, shown_version: 100 })
      })

      test('a late or doubled message finds nothing to do', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory })
        await it.show(memory)
        expect(await it.show(memory, memory)).toEqual([{ id: memory, state: 'shown', retryable: false, revision: 1, shown: 1 }])
        expect(await it.show(randomUUID())).toEqual([])
        expect(it.graph.applied).toHaveLength(1)
      })

      test('what is deleted, softly or for good, or expired, leaves a tombstone', async () => {
        const [soft, hard, late, kept] = [id(), id(), id(), id()]
        await remember(it.db, it.mine, it.clock, { id: soft }, { id: hard }, { id: kept }, { id: late, expiresAt: '2026-03-01T13:00:00Z' })
        await it.show(soft, hard, late, kept)
        expect((await it.counts()).memories).toBe(4)
        it.clock.pass(2 * 3600_000)
        const now = it.clock.now().toISOString()
        await it.db.asTenant(it.mine.tenant, [
          sql`update memories set deleted_at = ${now}::timestamptz where tenant_id = current_tenant() and id = ${soft}::uuid`,
          sql`delete from memories where tenant_id = current_tenant() and id = ${hard}::uuid`,
          ...[soft, hard, late].map((memory) => owe(memory, 'user:ada', now)),
        ])
        await it.show(soft, hard, late)
        expect(await it.counts()).toMatchObject({ memories: 1 })
        expect((await ledger(it.db, it.mine, hard)).tombstone_at).toBe(now)
      })

      test('a memory made again under its old id is shown again', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory, entities: ['person:Ada'] })
        await it.show(memory)
        await it.db.asTenant(it.mine.tenant, [
          sql`delete from memories where tenant_id = current_tenant() and id = ${memory}::uuid`,
          owe(memory, 'user:ada', it.clock.now().toISOString()),
        ])
        await it.show(memory)
        expect(await it.reach(memory)).toEqual([])
        await remember(it.db, it.mine, it.clock, { id: memory, entities: ['person:Ada'] })
        await it.show(memory)
        expect(await it.reach(memory)).toHaveLength(2)
        expect((await ledger(it.db, it.mine, memory)).tombstone_at).toBeNull()
      })

      test('a memory that waits for the graph before anybody may read it is shown', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory, pending: true })
        expect(await it.states(memory)).toEqual(new Map([[memory, 'shown']]))
        expect((await it.counts()).memories).toBe(1)
      })

      test('more rows than fit into one graph write are written in several', async () => {
        const memories = Array.from({ length: 550 }, () => ({ id: id() }))
        await remember(it.db, it.mine, it.clock, ...memories)
        const outcomes = await it.show(...memories.map((memory) => memory.id))
        expect(outcomes.filter(({ state }) => state === 'shown')).toHaveLength(550)
        expect(it.graph.applied.map((batch) => batch.length)).toEqual([500, 50])
      })

      test('nothing of another tenant is leased, read or written', async () => {
        const other = await makeTenant(it.db, randomUUID())
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory })
        expect(await project(it.deps, other.tenant, [memory])).toEqual([])
        expect(await project(it.deps, other.tenant, { oldest: 10 })).toEqual([])
        expect(await ledger(it.db, it.mine, memory)).toMatchObject({ shown: 0, lease: null })
      })
    })

    describe('a row that moves while it is written', () => {
      test('stays owed, since the moment it was read', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory, content: 'first' })
        it.clock.pass(60_000)
        const read = it.clock.now().toISOString()
        it.graph.before = async () => {
          it.graph.before = null
          it.clock.pass(1000)
          await remember(it.db, it.mine, it.clock, { id: memory, content: 'second' })
        }
        expect(await it.show(memory)).toEqual([{ id: memory, state: 'owed', retryable: false, revision: 1, shown: 1 }])
        expect(await ledger(it.db, it.mine, memory)).toMatchObject({ revision: 2, shown: 1, lease: null, owed_since: read })
        expect(await it.states(memory)).toEqual(new Map([[memory, 'shown']]))
      })

      test('and is deleted is not brought back by the writer who read it before', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory, entities: ['person:Ada'] })
        it.graph.before = async () => {
          it.graph.before = null
          await it.db.asTenant(it.mine.tenant, [
            sql`delete from memories where tenant_id = current_tenant() and id = ${memory}::uuid`,
            owe(memory, 'user:ada', it.clock.now().toISOString()),
          ])
          it.clock.pass(31_000)
          await it.show(memory)
        }
        await it.show(memory)
        expect(await it.reach(memory)).toEqual([])
        expect(await ledger(it.db, it.mine, memory)).toMatchObject({ revision: 2, shown: 2 })
      })
    })

    describe('a lease', () => {
      test('keeps other writers away while it lasts', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory })
        const seen: unknown[] = []
        it.graph.before = async () => {
          it.graph.before = null
          seen.push((await it.show(memory))[0]?.state, await project(it.deps, it.mine.tenant, { oldest: 10 }))
        }
        await it.show(memory)
        expect(seen).toEqual(['taken', []])
        expect(it.graph.applied).toHaveLength(1)
      })

      test('that ran out is anybody’s, and the stalled writer who wakes up writes and settles nothing', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory, entities: ['person:Old'] })
        let woken = false
        const stalled = {
          ...it.graph,
          apply: async (...given: Parameters<Watched['apply']>) => {
            it.clock.pass(31_000)
            await remember(it.db, it.mine, it.clock, { id: memory, entities: ['person:New'] })
            await it.show(memory)
            woken = true
            await it.graph.apply(...given)
          },
        }
        const outcomes = await project(depsOf(it.db, stalled, it.clock), it.mine.tenant, [memory])
        expect(woken).toBe(true)
        expect(outcomes.find((outcome) => outcome.id === memory)?.state).toBe('owed')
        expect(await ledger(it.db, it.mine, memory)).toMatchObject({ revision: 2, shown: 2, shown_version: 2 })
        expect(await it.reach(memory)).toEqual([memory, await entityId(it.db, it.mine, 'New')])
      })

      test('of a writer whose time is up before it writes leads to no write at all', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory })
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
        expect(await project(slow, it.mine.tenant, [memory])).toMatchObject([{ state: 'failed', retryable: true }])
        expect(it.graph.applied).toEqual([])
        expect(await ledger(it.db, it.mine, memory)).toMatchObject({ shown: 0, lease: null, attempts: 0 })
      })

      test('taken under an older epoch settles nothing', async () => {
        const memory = id()
        await remember(it.db, it.mine, it.clock, { id: memory })
        let epoch = 1
        const switched = {
          ...it.deps,
          db: {
            ...it.db,
            asTenant: (async (tenant: string, list: { text: string; params: unknown[] }[]) => {
              const rows = (await it.db.asTenant(tenant, list)) as unknown as Record<string, unknown>[][]
              return rows.map((each) => each.map((row) => ('epoch' in row ? { ...row, epoch: epoch - 1 } : row)))
            }) as unknown as typeof it.db.asTenant,
          },
        }
        expect(await project(switched, it.mine.tenant, [memory])).toMatchObject([{ state: 'owed' }])
        expect(await ledger(it.db, it.mine, memory)).toMatchObject({ shown: 0, lease: null })
        epoch = 2
        expect(await project(switched, it.mine.tenant, [memory])).toMatchObject([{ state: 'shown' }])
      })
    })

    test('tombstones older than a day are purged in both places, younger ones stay', async () => {
      const [old, young] = [id(), id()]
      const forget = async (memory: string) => {
        await remember(it.db, it.mine, it.clock, { id: memory })
        await it.db.asTenant(it.mine.tenant, [
          sql`delete from memories where tenant_id = current_tenant() and id = ${memory}::uuid`,
          owe(memory, 'user:ada', it.clock.now().toISOString()),
        ])
        await it.show(memory)
      }
      await forget(old)
      it.clock.pass(20 * 3600_000)
      await forget(young)
      it.clock.pass(5 * 3600_000)
      const waiting = () =>
        it.db.across([
          sql<{
            tenant: string
          }>`select tenant from tenants_with('tombstones', ${new Date(it.clock.now().getTime() - 24 * 3600_000).toISOString()}::timestamptz, 100)`,
        ])
      expect((await waiting())[0].map((row) => row.tenant)).toContain(it.mine.tenant)
      expect(await purgeTombstones(it.deps, it.mine.tenant)).toBe(1)
      expect((await waiting())[0].map((row) => row.tenant)).not.toContain(it.mine.tenant)
      expect((await ledger(it.db, it.mine, old)).tombstone_at).toBeNull()
      expect((await ledger(it.db, it.mine, young)).tombstone_at).not.toBeNull()
    })
  })
}
