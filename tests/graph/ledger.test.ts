import { randomUUID } from 'node:crypto'
import { GraphStoreError } from '@twofold/core/failures.ts'
import { project } from '@twofold/core/graph/project.ts'
import { purgeTombstones } from '@twofold/core/graph/purge.ts'
import { showNow } from '@twofold/core/graph/wait.ts'
import { sql } from '@twofold/core/sql.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type MigratedDatabase, migratedDatabase } from '../database.ts'
import { Clock, depsOf, entityId, id, ledger, makeTenant, owe, remember, type Tenant, type Watched, watched } from './world.ts'

let database: MigratedDatabase
let db: MigratedDatabase['db']
let clock: Clock
let graph: Watched
let mine: Tenant
let deps: ReturnType<typeof depsOf>

beforeAll(async () => {
  database = await migratedDatabase()
  db = database.db
})
afterAll(() => database.close())
beforeEach(async () => {
  clock = new Clock()
  graph = watched(db, clock)
  deps = depsOf(db, graph, clock)
  mine = await makeTenant(db, randomUUID())
})

const show = (...ids: string[]) => project(deps, mine.tenant, ids)
const states = async (...ids: string[]) => new Map((await show(...ids)).map((outcome) => [outcome.id, outcome.state]))
const counts = () => graph.counts(mine.tenant, { generations: [1] })
const reach = async (start: string) =>
  (
    await graph.traverse(
      mine.tenant,
      { start: [start], ranges: [{ low: '', high: '\u{10FFFF}' }], via: [], direction: 'both', hops: 1, limit: 10 },
      { generations: [1] },
    )
  ).nodes.map((node) => node.id)

describe('bringing what is owed into the graph', () => {
  test('a memory takes its owed entities along, in one graph write, and the ledger notes what is shown', async () => {
    const memory = id()
    await remember(db, mine, clock, {
      id: memory,
      entities: ['person:Ada', 'organization:Acme'],
      relations: [['person:Ada', 'works_at', 'organization:Acme']],
    })
    const outcomes = await show(memory)
    expect(outcomes).toHaveLength(3)
    expect(outcomes.every(({ state }) => state === 'shown')).toBe(true)
    expect(graph.applied).toHaveLength(1)
    expect(await counts()).toEqual({ memories: 1, entities: 2, sessions: 0, edges: 3 })
    expect(await ledger(db, mine, memory)).toMatchObject({
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
    for (let i = 0; i < 100; i++) await remember(db, mine, clock, { id: memory, content: `version ${i + 1}` })
    expect(await ledger(db, mine, memory)).toMatchObject({ revision: 100, shown: 0 })
    await project(deps, mine.tenant, { oldest: 50 })
    expect(graph.applied).toEqual([[memory]])
    expect(await ledger(db, mine, memory)).toMatchObject({ revision: 100, shown: 100, shown_version: 100 })
  })

  test('a late or doubled message finds nothing to do', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory })
    await show(memory)
    expect(await show(memory, memory)).toEqual([{ id: memory, state: 'shown', retryable: false, revision: 1, shown: 1 }])
    expect(await show(randomUUID())).toEqual([])
    expect(graph.applied).toHaveLength(1)
  })

  test('what is deleted, softly or for good, or expired, leaves a tombstone', async () => {
    const [soft, hard, late, kept] = [id(), id(), id(), id()]
    await remember(db, mine, clock, { id: soft }, { id: hard }, { id: kept }, { id: late, expiresAt: '2026-03-01T13:00:00Z' })
    await show(soft, hard, late, kept)
    expect((await counts()).memories).toBe(4)
    clock.pass(2 * 3600_000)
    const now = clock.now().toISOString()
    await db.asTenant(mine.tenant, [
      sql`update memories set deleted_at = ${now}::timestamptz where tenant_id = current_tenant() and id = ${soft}::uuid`,
      sql`delete from memories where tenant_id = current_tenant() and id = ${hard}::uuid`,
      ...[soft, hard, late].map((memory) => owe(memory, 'user:ada', now)),
    ])
    await show(soft, hard, late)
    expect(await counts()).toMatchObject({ memories: 1 })
    expect((await ledger(db, mine, hard)).tombstone_at).toBe(now)
  })

  test('a memory made again under its old id is shown again', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory, entities: ['person:Ada'] })
    await show(memory)
    await db.asTenant(mine.tenant, [
      sql`delete from memories where tenant_id = current_tenant() and id = ${memory}::uuid`,
      owe(memory, 'user:ada', clock.now().toISOString()),
    ])
    await show(memory)
    expect(await reach(memory)).toEqual([])
    await remember(db, mine, clock, { id: memory, entities: ['person:Ada'] })
    await show(memory)
    expect(await reach(memory)).toHaveLength(2)
    expect((await ledger(db, mine, memory)).tombstone_at).toBeNull()
  })

  test('a memory that waits for the graph before anybody may read it is shown', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory, pending: true })
    expect(await states(memory)).toEqual(new Map([[memory, 'shown']]))
    expect((await counts()).memories).toBe(1)
  })

  test('more rows than fit into one graph write are written in several', async () => {
    const memories = Array.from({ length: 450 }, () => ({ id: id() }))
    await remember(db, mine, clock, ...memories)
    const outcomes = await show(...memories.map((memory) => memory.id))
    expect(outcomes.filter(({ state }) => state === 'shown')).toHaveLength(450)
    expect(graph.applied.map((batch) => batch.length)).toEqual([200, 200, 50])
  })

  test('nothing of another tenant is leased, read or written', async () => {
    const other = await makeTenant(db, randomUUID())
    const memory = id()
    await remember(db, mine, clock, { id: memory })
    expect(await project(deps, other.tenant, [memory])).toEqual([])
    expect(await project(deps, other.tenant, { oldest: 10 })).toEqual([])
    expect(await ledger(db, mine, memory)).toMatchObject({ shown: 0, lease: null })
  })
})

describe('a row that moves while it is written', () => {
  test('stays owed, since the moment it was read', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory, content: 'first' })
    clock.pass(60_000)
    const read = clock.now().toISOString()
    graph.before = async () => {
      graph.before = null
      clock.pass(1000)
      await remember(db, mine, clock, { id: memory, content: 'second' })
    }
    expect(await show(memory)).toEqual([{ id: memory, state: 'owed', retryable: false, revision: 1, shown: 1 }])
    expect(await ledger(db, mine, memory)).toMatchObject({ revision: 2, shown: 1, lease: null, owed_since: read })
    expect(await states(memory)).toEqual(new Map([[memory, 'shown']]))
  })

  test('and is deleted is not brought back by the writer who read it before', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory, entities: ['person:Ada'] })
    graph.before = async () => {
      graph.before = null
      await db.asTenant(mine.tenant, [
        sql`delete from memories where tenant_id = current_tenant() and id = ${memory}::uuid`,
        owe(memory, 'user:ada', clock.now().toISOString()),
      ])
      clock.pass(31_000)
      await show(memory)
    }
    await show(memory)
    expect(await reach(memory)).toEqual([])
    expect(await ledger(db, mine, memory)).toMatchObject({ revision: 2, shown: 2 })
  })
})

describe('a lease', () => {
  test('keeps other writers away while it lasts', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory })
    const seen: unknown[] = []
    graph.before = async () => {
      graph.before = null
      seen.push((await show(memory))[0]?.state, await project(deps, mine.tenant, { oldest: 10 }))
    }
    await show(memory)
    expect(seen).toEqual(['taken', []])
    expect(graph.applied).toHaveLength(1)
  })

  test('that ran out is anybody’s, and the stalled writer who wakes up writes and settles nothing', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory, entities: ['person:Old'] })
    let woken = false
    const stalled = {
      ...graph,
      apply: async (...given: Parameters<Watched['apply']>) => {
        clock.pass(31_000)
        await remember(db, mine, clock, { id: memory, entities: ['person:New'] })
        await show(memory)
        woken = true
        await graph.apply(...given)
      },
    }
    const outcomes = await project(depsOf(db, stalled, clock), mine.tenant, [memory])
    expect(woken).toBe(true)
    expect(outcomes.find((outcome) => outcome.id === memory)?.state).toBe('owed')
    expect(await ledger(db, mine, memory)).toMatchObject({ revision: 2, shown: 2, shown_version: 2 })
    expect(await reach(memory)).toEqual([memory, await entityId(db, mine, 'New')])
  })

  test('of a writer whose time is up before it writes leads to no write at all', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory })
    const slow = {
      ...deps,
      db: {
        ...db,
        asTenant: (async (tenant: string, list: []) => {
          const rows = await db.asTenant(tenant, list)
          clock.pass(29_000)
          return rows
        }) as typeof db.asTenant,
      },
    }
    expect(await project(slow, mine.tenant, [memory])).toMatchObject([{ state: 'failed', retryable: true }])
    expect(graph.applied).toEqual([])
    expect(await ledger(db, mine, memory)).toMatchObject({ shown: 0, lease: null, attempts: 0 })
  })

  test('taken under an older epoch settles nothing', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory })
    let epoch = 1
    const switched = {
      ...deps,
      db: {
        ...db,
        asTenant: (async (tenant: string, list: { text: string; params: unknown[] }[]) => {
          const rows = (await db.asTenant(tenant, list)) as unknown as Record<string, unknown>[][]
          return rows.map((each) => each.map((row) => ('epoch' in row ? { ...row, epoch: epoch - 1 } : row)))
        }) as unknown as typeof db.asTenant,
      },
    }
    expect(await project(switched, mine.tenant, [memory])).toMatchObject([{ state: 'owed' }])
    expect(await ledger(db, mine, memory)).toMatchObject({ shown: 0, lease: null })
    epoch = 2
    expect(await project(switched, mine.tenant, [memory])).toMatchObject([{ state: 'shown' }])
  })
})

describe('a graph that cannot be reached', () => {
  test('costs no attempt, and everything stays owed and free', async () => {
    const memories = [id(), id(), id()]
    await remember(db, mine, clock, ...memories.map((memory) => ({ id: memory })))
    graph.before = () => {
      throw new GraphStoreError('apply', { retryable: true })
    }
    for (let i = 0; i < 10; i++) {
      expect(await show(...memories)).toMatchObject(memories.map((memory) => ({ id: memory, state: 'failed', retryable: true })))
    }
    expect(await ledger(db, mine, memories[0] as string)).toMatchObject({
      shown: 0,
      lease: null,
      attempts: 0,
      parked_at: null,
      not_before: null,
    })
    graph.before = null
    expect(new Set((await states(...memories)).values())).toEqual(new Set(['shown']))
  })

  test('in the middle of isolating a poison row keeps what was written, and blames nobody for the rest', async () => {
    const memories = Array.from({ length: 8 }, id)
    await remember(db, mine, clock, ...memories.map((memory) => ({ id: memory })))
    graph.before = (batch) => {
      if (batch.length === 8) throw new GraphStoreError('apply', { retryable: false })
      if (batch.includes(memories[4] as string)) throw new GraphStoreError('apply', { retryable: true })
    }
    const found = await states(...memories)
    expect([...found.values()]).toEqual([...Array(4).fill('shown'), ...Array(4).fill('failed')])
    expect(await ledger(db, mine, memories[7] as string)).toMatchObject({ lease: null, attempts: 0, failure: null })
  })
})

describe('a poison row', () => {
  const poison = (...rows: string[]) => {
    graph.before = (batch) => {
      if (batch.some((row) => rows.includes(row)))
        throw new GraphStoreError('apply', { retryable: false, cause: { code: '22021', message: 'the secret content' } })
    }
  }

  test('is found by halving, and takes no other with it', async () => {
    const memories = Array.from({ length: 100 }, id)
    await remember(db, mine, clock, ...memories.map((memory) => ({ id: memory })))
    const bad = [memories[17], memories[18], memories[99]] as string[]
    poison(...bad)
    const found = await states(...memories)
    for (const memory of memories) expect(found.get(memory)).toBe(bad.includes(memory) ? 'failed' : 'shown')
    expect(graph.applied.length).toBeLessThan(25)
    expect(await ledger(db, mine, bad[0] as string)).toMatchObject({ shown: 0, lease: null, attempts: 1, failure: 'apply failed (22021)' })
  })

  test('is tried again later and later, then parked until it changes', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory })
    poison(memory)
    const waits: number[] = []
    for (let attempt = 1; attempt <= 5; attempt++) {
      expect(await show(memory)).toMatchObject([{ state: 'failed', retryable: false }])
      const { attempts, not_before } = await ledger(db, mine, memory)
      expect(attempts).toBe(attempt)
      waits.push(Date.parse(not_before as string) - clock.now().getTime())
      expect((await show(memory))[0]?.state).toBe('failed')
      expect((await ledger(db, mine, memory)).attempts).toBe(attempt)
      clock.pass(waits.at(-1) as number)
    }
    expect(waits).toEqual([2000, 4000, 8000, 16_000, 32_000])
    expect((await ledger(db, mine, memory)).parked_at).not.toBeNull()
    graph.before = null
    expect(await states(memory)).toEqual(new Map([[memory, 'failed']]))
    expect(await project(deps, mine.tenant, { oldest: 10 })).toEqual([])
    await remember(db, mine, clock, { id: memory, content: 'harmless' })
    expect(await states(memory)).toEqual(new Map([[memory, 'shown']]))
    expect(await ledger(db, mine, memory)).toMatchObject({ attempts: 0, parked_at: null, failure: null, not_before: null })
  })

  test('that was mended while it was refused is not held back', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory })
    graph.before = async () => {
      graph.before = null
      await remember(db, mine, clock, { id: memory, content: 'mended' })
      throw new GraphStoreError('apply', { retryable: false })
    }
    await show(memory)
    expect(await states(memory)).toEqual(new Map([[memory, 'shown']]))
  })
})

describe('waiting for the graph', () => {
  test('answers what is shown, entities included', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory, entities: ['person:Ada'] })
    expect(await showNow(deps, mine.tenant, [memory])).toEqual(new Set([memory]))
    expect(await reach(memory)).toHaveLength(2)
  })

  test('waits for another writer who has the row, and takes over when his lease ends', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory })
    await db.asTenant(mine.tenant, [
      sql`update ledger set lease = ${randomUUID()}::uuid, leased_until = ${new Date(clock.now().getTime() + 1000).toISOString()}::timestamptz
        where tenant_id = current_tenant() and id = ${memory}::uuid`,
    ])
    const ticking = { ...deps, now: () => clock.tick(50) }
    expect(await showNow(ticking, mine.tenant, [memory])).toEqual(new Set([memory]))
  })

  test('ends at the deadline, and says what is not shown', async () => {
    const [taken, free] = [id(), id()]
    await remember(db, mine, clock, { id: taken }, { id: free })
    await db.asTenant(mine.tenant, [
      sql`update ledger set lease = ${randomUUID()}::uuid, leased_until = '2030-01-01' where tenant_id = current_tenant() and id = ${taken}::uuid`,
    ])
    const ticking = { ...deps, now: () => clock.tick(200) }
    expect(await showNow(ticking, mine.tenant, [taken, free])).toEqual(new Set([free]))
  })

  test('does not wait where that cannot help', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory })
    let attempts = 0
    graph.before = () => {
      attempts++
      throw new GraphStoreError('apply', { retryable: true })
    }
    expect(await showNow(deps, mine.tenant, [memory])).toEqual(new Set())
    expect(attempts).toBe(1)
  })

  test('is content with the revision it came for, whoever goes on changing the row', async () => {
    const memory = id()
    await remember(db, mine, clock, { id: memory })
    graph.before = () => remember(db, mine, clock, { id: memory, content: 'again' })
    expect(await showNow(deps, mine.tenant, [memory])).toEqual(new Set([memory]))
    expect(await ledger(db, mine, memory)).toMatchObject({ revision: 2, shown: 1 })
  })
})

test('tombstones older than a day are purged in both places, younger ones stay', async () => {
  const [old, young] = [id(), id()]
  const forget = async (memory: string) => {
    await remember(db, mine, clock, { id: memory })
    await db.asTenant(mine.tenant, [
      sql`delete from memories where tenant_id = current_tenant() and id = ${memory}::uuid`,
      owe(memory, 'user:ada', clock.now().toISOString()),
    ])
    await show(memory)
  }
  await forget(old)
  clock.pass(20 * 3600_000)
  await forget(young)
  clock.pass(5 * 3600_000)
  const waiting = () =>
    db.across([
      sql<{
        tenant: string
      }>`select tenant from tenants_with('tombstones', ${new Date(clock.now().getTime() - 24 * 3600_000).toISOString()}::timestamptz, 100)`,
    ])
  expect((await waiting())[0].map((row) => row.tenant)).toContain(mine.tenant)
  expect(await purgeTombstones(deps, mine.tenant)).toBe(1)
  expect((await waiting())[0].map((row) => row.tenant)).not.toContain(mine.tenant)
  expect((await ledger(db, mine, old)).tombstone_at).toBeNull()
  expect((await ledger(db, mine, young)).tombstone_at).not.toBeNull()
})
