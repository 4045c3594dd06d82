import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { acme, ada, entity, first, gone, ids, memory, note, turin, uuid } from '../contract/scene.ts'
import { graphContract } from '../contract.ts'
import { migrateGraph } from './graph.ts'
import { migrate } from './migrate.ts'
import { poison, realGraph, server } from './real.fixture.ts'
import { openDriver, realScenes } from './scenes.fixture.ts'

describe('the graph in Neo4j', () => {
  const { scene, ask, stray, holding } = realScenes()

  graphContract('under contract', async () => {
    const graph = realGraph()
    await graph.warmed
    return { graph, tenant: async () => randomUUID(), poison, stray, close: () => graph.close() }
  })

  describe('sessions', () => {
    test('are one for a call by itself, one for all calls of a session, and none where nothing is asked', async () => {
      const { scene: the, graph, tenant, times, none } = await scene()
      await the.apply(tenant, entity(ada, 'Ada'), memory(note, [ada]))
      expect([times('session'), times('transaction')]).toEqual([1, 1])
      for (const mode of ['reuse', 'atomic'] as const) {
        const before = times('session')
        await graph.session(mode, async (session) => {
          await graph.apply(tenant, [entity(acme, 'Acme')], { ...first, session })
          await the.from(tenant, [note], {}, { ...first, session })
          await graph.counts(tenant, { ...first, session })
        })
        await graph.session(mode, async () => undefined)
        expect(times('session') - before).toBe(1)
      }
      await none()
    })

    test('do not stay open, whatever fails', async () => {
      // A few at a time, of which most wait for a connection: a busy server that has to log in sixty at once takes longer than one is waited for.
      const [all, atOnce, connections] = [60, 6, 2]
      const { scene: the, graph, tenant, none } = await scene({ pool: { min: 1, max: connections } })
      await the.apply(tenant, entity(ada, 'Ada'))
      const call = (i: number): Promise<unknown> => {
        const id = uuid(i)
        const signal = AbortSignal.timeout((i * 7) % 40)
        const write = (options = {}) => graph.apply(tenant, [memory(id, [ada]), ...(i % 4 ? [] : [poison(acme)])], { ...first, ...options })
        if (i % 3 === 0) return write(i % 2 ? { signal } : { timeoutMs: 1 + (i % 20) })
        return graph.session(
          i % 3 === 1 ? 'atomic' : 'reuse',
          async (session) => {
            await write({ session })
            if (i % 5 === 0) throw new Error('after the write')
            await graph.counts(tenant, { ...first, session, ...(i % 2 ? { signal } : {}) })
          },
          i % 7 === 0 ? { timeoutMs: 20 } : {},
        )
      }
      const outcomes: PromiseSettledResult<unknown>[] = []
      for (let i = 0; i < all; i += atOnce) {
        outcomes.push(...(await Promise.allSettled(Array.from({ length: atOnce }, (_, n) => call(i + n)))))
      }
      expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['fulfilled', 'rejected']))
      await none()
      expect(await graph.health()).toMatchObject({ available: true, breaker: 'closed' })
    })
  })

  test('sums come out of the indexes while nothing is odd, tombstones and places or not', async () => {
    const { scene: the, graph, tenant, times } = await scene()
    await the.apply(tenant, entity(ada, 'Ada'), memory(note, [ada, acme]), gone(turin, 2))
    const asked = async () => {
      const before = times('transaction')
      const odd = (await graph.sums(tenant, null, first)).reduce((sum, bucket) => sum + bucket.odd, 0)
      return { statements: times('transaction') - before, odd }
    }
    expect(await asked()).toEqual({ statements: 3, odd: 0 })
    await ask('match (n:Node {tenant: $tenant, id: $turin}) set n.more = 1, n.than = 2', { tenant, turin })
    expect(await asked()).toEqual({ statements: 5, odd: 1 })
  })

  describe('other transactions', () => {
    test('that lock the same in another order only cost another attempt', async () => {
      const { scene: the, graph, tenant, times } = await scene()
      const others = Array.from({ length: 50 }, (_, i) => uuid(600 + i))
      await the.apply(tenant, entity(ada, 'Ada'), entity(acme, 'Acme'), ...others.map((id) => entity(id, 'Other')))
      const other = await holding(tenant, [acme, ...others])
      const writing = the.apply(tenant, entity(ada, 'Ada', { revision: 2 }), entity(acme, 'Acme', { revision: 2 }))
      await waiting(tenant)
      await other.hold([ada])
      await other.let()
      await writing
      expect(times('retry')).toBeGreaterThan(0)
      expect((await graph.held(tenant, [3], first)).filter((node) => node.revision === 2)).toHaveLength(2)
    })

    test('that lock the same in another order take an atomic session back as a whole', async () => {
      const { scene: the, graph, tenant, none } = await scene()
      const others = Array.from({ length: 50 }, (_, i) => uuid(600 + i))
      await the.apply(tenant, entity(ada, 'Ada'), entity(acme, 'Acme'), ...others.map((id) => entity(id, 'Other')))
      const other = await holding(tenant, [acme, ...others])
      const told: boolean[] = []
      const writing = graph.session('atomic', async (session) => {
        await session.whenDecided(async (stands) => void told.push(stands))
        await graph.apply(tenant, [entity(ada, 'Ada', { revision: 2 })], { ...first, session })
        await graph.apply(tenant, [entity(acme, 'Acme', { revision: 2 })], { ...first, session })
      })
      const error = writing.catch((e: unknown) => e)
      await waiting(tenant)
      await other.hold([ada])
      await other.let()
      expect(await error).toMatchObject({ name: 'GraphStoreError', step: 'apply', retryable: true })
      expect(told).toEqual([false])
      expect((await graph.held(tenant, [3], first)).filter((node) => node.revision === 2)).toEqual([])
      await none()
    })

    test('that hold a node longer than a call may take end that call, which writes nothing afterwards', async () => {
      const { scene: the, graph, tenant, none } = await scene()
      await the.apply(tenant, entity(ada, 'Ada'))
      const other = await holding(tenant, [ada])
      const writing = graph.apply(tenant, [entity(ada, 'Ada', { revision: 2 })], { ...first, timeoutMs: 200 })
      await expect(writing).rejects.toMatchObject({ name: 'GraphStoreError', step: 'apply', retryable: true })
      await none()
      await other.let()
      expect(await graph.held(tenant, [3], first)).toEqual([entity(ada, 'Ada')])
    })

    test('that were first leave a newer revision, which the one that waited for them sees', async () => {
      const { scene: the, graph, tenant } = await scene()
      await the.apply(tenant, entity(ada, 'Ada'), entity(acme, 'Acme'), memory(note, []))
      const outside: Promise<void>[] = []
      await graph.session('atomic', async (session) => {
        await graph.apply(tenant, [memory(note, [acme], { revision: 5 })], { ...first, session })
        outside.push(the.apply(tenant, memory(note, [ada], { revision: 4 })))
        await waiting(tenant)
      })
      await Promise.all(outside)
      expect(await ids(the.from(tenant, [note]))).toEqual([note, acme])
    })

    /** Until somebody waits for a lock among this tenant's nodes. */
    const waiting = (tenant: string) =>
      expect
        .poll(
          async () =>
            (
              await ask(
                "show transactions yield status, parameters where status starts with 'Blocked' and parameters.tenant = $tenant return status",
                { tenant },
              )
            ).length,
          {
            timeout: 5_000,
          },
        )
        .toBeGreaterThan(0)
  })

  test('placeholders are purged once nothing names them, and never under a writer who is about to', async () => {
    const { scene: the, graph, tenant } = await scene()
    const placeholders = async () =>
      (await ask('match (n:Node {tenant: $tenant, absent: true}) return n.id as id', { tenant })).map(({ id }) => id)
    const purge = () => graph.purge(tenant, new Date(Date.UTC(9000, 0)), first)
    await the.apply(tenant, memory(note, [ada, acme]), gone(turin, 1))
    expect((await placeholders()).sort()).toEqual([ada, acme])
    expect(await purge()).toBe(1)
    expect((await placeholders()).sort()).toEqual([ada, acme])
    await the.apply(tenant, memory(note, [ada], { revision: 2 }), gone(ada, 1))
    expect(await purge()).toBe(1)
    expect(await placeholders()).toEqual([ada])
    await the.apply(tenant, gone(note, 3, 'memory'))
    expect(await purge()).toBe(1)
    expect(await ask('match (n:Node {tenant: $tenant}) return n.id', { tenant })).toEqual([])

    let writing = true
    const purging = (async () => {
      while (writing) await purge()
    })()
    const memories = Array.from({ length: 60 }, (_, i) => uuid(700 + i))
    await Promise.all(
      [0, 1, 2].map(async (writer) => {
        for (const id of memories.filter((_, i) => i % 3 === writer)) {
          await the.apply(tenant, memory(id, [ada, acme]))
          await the.apply(tenant, memory(id, [], { revision: 2 }))
          await the.apply(tenant, memory(id, [ada], { revision: 3 }))
        }
      }),
    ).finally(() => {
      writing = false
    })
    await purging
    await the.apply(tenant, entity(ada, 'Ada'))
    expect((await the.counts(tenant)).edges).toBe(60)
    await purge()
    expect(await placeholders()).toEqual([])
  })

  describe('migrations', () => {
    test('are run once, however many processes start at the same moment', async () => {
      const label = `Trial${randomUUID().replaceAll('-', '')}`
      const number = Math.floor(Math.random() * 1e9) + 1_000
      const trial = {
        number,
        name: 'trial',
        statements: [
          `create constraint ${label}_unique if not exists for (n:${label}) require (n.a, n.b) is unique`,
          `create index ${label}_index if not exists for (n:${label}) on (n.c)`,
          `create fulltext index ${label}_text if not exists for (n:${label}) on each [n.d]`,
        ],
      }
      const drivers = Array.from({ length: 4 }, openDriver)
      try {
        const ran = await Promise.all(drivers.map((each) => migrate(each, server.database, [trial])))
        expect(ran.flat()).toContain(number)
        const [again] = drivers
        expect(await migrate(again as (typeof drivers)[number], server.database, [trial])).toEqual([])
        expect(await ask('show indexes yield name, state where name starts with $label return state', { label })).toEqual(
          Array.from({ length: 3 }, () => ({ state: 'ONLINE' })),
        )
        expect(await ask('match (m:GraphMigration {number: $number}) return m.name as name', { number })).toEqual([{ name: 'trial' }])
      } finally {
        await ask(`drop constraint ${label}_unique if exists`)
        for (const index of ['index', 'text']) await ask(`drop index ${label}_${index} if exists`)
        await ask('match (m:GraphMigration {number: $number}) delete m', { number })
        for (const each of drivers) await each.close()
      }
    })

    test('are a step of a deployment too, which changes nothing when they have been run', async () => {
      await migrateGraph(server)
      expect(await migrateGraph(server)).toEqual([])
    })

    test('make an index for each way in', async () => {
      await migrateGraph(server)
      const names = (await ask("show indexes yield name where not name starts with 'Trial' return name")).map(({ name }) => name)
      expect(names).toEqual(
        expect.arrayContaining([
          'node_id',
          'node_tenant',
          'node_subject',
          'node_bucket',
          'entity_name',
          'mentions_owner',
          'relates_to_owner',
        ]),
      )
    })
  })
})
