import { randomUUID } from 'node:crypto'
import { markCollectable } from '@twofold/core/entities/collect.sql.ts'
import { GraphStoreError } from '@twofold/core/failures.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { sql } from '@twofold/core/sql.ts'
import { sweep } from '@twofold/functions/fixture.ts'
import { graphWrites } from '@twofold/functions/queues/graph-writes.ts'
import type { SQSEvent } from 'aws-lambda'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { OpenStores, Stores } from './stores.ts'
import { Clock, depsOf, id, ledger, makeTenant, owe, remember, settings, type Tenant, type Watched, watched } from './world.ts'

/** What no request waits for. */
export function backgroundTests(open: OpenStores): void {
  describe('in the background', () => {
    let stores: Stores
    let db: Stores['db']
    let clock = new Clock()
    let graph: Watched
    let deps: Deps
    let mine: Tenant
    let other: Tenant

    const openOwn = async () => {
      stores = await open(() => clock.now())
      db = stores.db
    }
    const close = () => stores.close()
    /** Tenants of their own for each test. */
    const settle = async () => {
      clock = new Clock()
      graph = watched(stores.graph)
      // Whatever looks for texts that are not embedded yet asks for the model's name first.
      deps = { ...depsOf(db, graph, clock), embedder: { model: 'none' } } as Deps
      mine = await makeTenant(db, randomUUID())
      other = await makeTenant(db, randomUUID())
    }

    const event = (...bodies: unknown[]): SQSEvent =>
      ({
        Records: bodies.map((body, i) => ({ messageId: `m${i}`, body: typeof body === 'string' ? body : JSON.stringify(body) })),
      }) as SQSEvent
    const failed = async (...bodies: unknown[]) =>
      (await graphWrites(deps)(event(...bodies))).batchItemFailures.map((item) => item.itemIdentifier)
    const shown = async (tenant: Tenant, memory: string) => (await ledger(db, tenant, memory)).shown

    describe('the queue of graph writes', () => {
      beforeAll(openOwn)
      afterAll(close)
      beforeEach(settle)

      test('messages of one tenant become one graph write, those of two tenants two', async () => {
        const [a, b, c] = [id(), id(), id()]
        await remember(db, mine, clock, { id: a }, { id: b })
        await remember(db, other, clock, { id: c })
        expect(
          await failed(
            { tenant: mine.tenant, ids: [a] },
            { tenant: other.tenant, ids: [c] },
            { tenant: mine.tenant, ids: [b, a] },
            { tenant: mine.tenant, ids: [a] },
          ),
        ).toEqual([])
        expect(graph.applied.map((batch) => batch.toSorted()).sort((x, y) => y.length - x.length)).toEqual([[a, b], [c]])
        expect(await shown(other, c)).toBe(1)
      })

      test('a message that comes late, twice, or for what nobody knows is done with', async () => {
        const a = id()
        await remember(db, mine, clock, { id: a })
        expect(await failed({ tenant: mine.tenant, ids: [a] })).toEqual([])
        expect(
          await failed({ tenant: mine.tenant, ids: [a] }, { tenant: mine.tenant, ids: [randomUUID()] }, { tenant: mine.tenant, ids: [] }),
        ).toEqual([])
        expect(graph.applied).toHaveLength(1)
      })

      test('what cannot be read fails by itself', async () => {
        const a = id()
        await remember(db, mine, clock, { id: a })
        expect(
          await failed(
            'not json',
            { tenant: mine.tenant, ids: [a] },
            { tenant: 'x', ids: [] },
            { tenant: mine.tenant, ids: ["'; drop"] },
            'null',
          ),
        ).toEqual(['m0', 'm2', 'm3', 'm4'])
        expect(await shown(mine, a)).toBe(1)
      })

      test('only the message that names the poison row fails', async () => {
        const [good, bad] = [id(), id()]
        await remember(db, mine, clock, { id: good }, { id: bad })
        graph.before = (batch) => {
          if (batch.includes(bad)) throw new GraphStoreError('apply', { retryable: false })
        }
        expect(await failed({ tenant: mine.tenant, ids: [good] }, { tenant: mine.tenant, ids: [bad] })).toEqual(['m1'])
        expect(await shown(mine, good)).toBe(1)
        expect(await failed({ tenant: mine.tenant, ids: [bad] })).toEqual(['m0'])
      })

      test('while the graph is out of reach every message fails and comes again', async () => {
        const [a, b] = [id(), id()]
        await remember(db, mine, clock, { id: a }, { id: b })
        graph.before = () => {
          throw new GraphStoreError('apply', { retryable: true })
        }
        const messages = [
          { tenant: mine.tenant, ids: [a] },
          { tenant: mine.tenant, ids: [b] },
        ]
        expect(await failed(...messages)).toEqual(['m0', 'm1'])
        graph.before = null
        expect(await failed(...messages)).toEqual([])
      })

      test('a tenant that is gone fails its own messages and no others', async () => {
        const a = id()
        await remember(db, mine, clock, { id: a })
        expect(await failed({ tenant: randomUUID(), ids: [a] }, { tenant: mine.tenant, ids: [a] })).toEqual(['m0'])
      })
    })

    describe('the relay', () => {
      // It looks after every tenant there is, so each test has a database to itself.
      beforeEach(async () => {
        await openOwn()
        await settle()
      })
      afterEach(close)

      test('brings in what lost nudges left behind, of every tenant', async () => {
        const [a, b] = [id(), id()]
        await remember(db, mine, clock, { id: a, entities: ['person:Ada'] })
        await remember(db, other, clock, { id: b })
        expect(await sweep(deps)).toEqual({ graph: { tenants: 2, failed: 0 } })
        expect([await shown(mine, a), await shown(other, b)]).toEqual([1, 1])
        expect(await sweep(deps)).toEqual({})
      })

      test('goes on until nothing is due, slice by slice', async () => {
        const memories = Array.from({ length: 1101 }, () => ({ id: id() }))
        await remember(db, mine, clock, ...memories)
        await sweep(deps)
        expect(graph.applied.map((batch) => batch.length)).toEqual([500, 500, 101])
      })

      test('stops at a graph out of reach, and takes up again what a dead writer had under lease', async () => {
        const a = id()
        await remember(db, mine, clock, { id: a })
        let tries = 0
        graph.before = () => {
          tries++
          throw new GraphStoreError('apply', { retryable: true })
        }
        await sweep(deps)
        expect(tries).toBe(1)
        graph.before = null
        await db.asTenant(mine.tenant, [
          sql`update ledger set lease = ${randomUUID()}::uuid, leased_until = ${new Date(clock.now().getTime() + 30_000).toISOString()}::timestamptz where tenant_id = current_tenant()`,
        ])
        expect(await sweep(deps)).toEqual({})
        clock.pass(31_000)
        await sweep(deps)
        expect(await shown(mine, a)).toBe(1)
      })

      test('one tenant’s trouble does not hold up another', async () => {
        const [a, b] = [id(), id()]
        await remember(db, mine, clock, { id: a })
        await remember(db, other, clock, { id: b })
        const apply = graph.apply
        const broken = {
          ...graph,
          apply: (async (tenant, ...rest) => {
            if (tenant === mine.tenant) throw new TypeError('broken')
            return apply(tenant, ...rest)
          }) as typeof apply,
        }
        expect(await sweep({ ...deps, graph: broken })).toEqual({ graph: { tenants: 2, failed: 1 } })
        expect(await shown(other, b)).toBe(1)
      })

      test('collects entities, purges tombstones and forgets answered requests after a day, each by itself', async () => {
        const a = id()
        await remember(db, mine, clock, { id: a, entities: ['person:Ada'] })
        await sweep(deps)
        const now = clock.now().toISOString()
        await db.asTenant(mine.tenant, [
          markCollectable(sql`select entity_id from memory_entities where tenant_id = current_tenant()`, now),
          sql`delete from memories where tenant_id = current_tenant()`,
          owe(a, 'user:ada', now),
          sql`insert into idempotency_keys (tenant_id, key_id, key, part, operation, request_hash, targets, created_at)
        values (current_tenant(), 'k', 'one', 0, 'memories.add', '\\x00', '[]', ${now}::timestamptz)`,
        ])
        expect(await sweep(deps)).toEqual({ collect: { tenants: 1, failed: 0 }, graph: { tenants: 1, failed: 0 } })
        await sweep(deps)
        expect(await graph.counts(mine.tenant, { generations: [1] })).toEqual({ memories: 0, entities: 0, sessions: 0, edges: 0 })
        clock.pass(25 * 3600_000)
        expect(await sweep(deps)).toEqual({ requests: { tenants: 1, failed: 0 }, tombstones: { tenants: 1, failed: 0 } })
        expect(await graph.purge(mine.tenant, new Date('9000-01-01'), { generations: [1] })).toBe(0)
        const [requests] = await db.asTenant(mine.tenant, [sql`select key from idempotency_keys`])
        expect(requests).toEqual([])
        expect(await sweep(deps)).toEqual({})
      })

      test('leaves the graph alone where a deployment has none', async () => {
        await remember(db, mine, clock, { id: id() })
        expect(await sweep({ ...deps, settings: { ...settings, graphEnabled: false } })).toEqual({})
        expect(graph.applied).toEqual([])
      })
    })
  })
}
