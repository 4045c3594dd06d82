import { syncChanges } from '@twofold/core/consistency/by-itself.ts'
import { check } from '@twofold/core/consistency/check.ts'
import type { Difference } from '@twofold/core/consistency/difference.ts'
import { takeRun } from '@twofold/core/consistency/run.sql.ts'
import { type Advanced, advance } from '@twofold/core/consistency/run.ts'
import { scopeOf } from '@twofold/core/consistency/scope.ts'
import { sql } from '@twofold/core/sql.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sweep, type Tenant, type World, world } from '../fixture.ts'
import { nightly } from '../schedules/nightly.ts'
import { purge } from '../schedules/purge.ts'
import { runs } from '../schedules/runs.ts'
import { sync as incremental } from '../schedules/sync.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  // Damaged by statements in the graph's tables; what is made of it does not depend on the graph behind it.
  here = await world({ NEO4J_URI: '' })
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const ask = async (input: object, key?: string) => (await tenant.post('/api/persistence/sync', input, key ? { key } : {})).json
const follow = async (run: string, key?: string) => (await tenant.get(`/api/persistence/sync/${run}`, key ? { key } : {})).json
const rows = async <Row>(statement: ReturnType<typeof sql<Row>>) => (await here.deps.db.asTenant(tenant.id, [statement]))[0]
const lose = (id: string) => rows(sql`delete from graph.nodes where tenant_id = twofold.current_tenant() and id = ${id}::uuid`)
const state = async () => (await rows(sql<{ generations: number[]; epoch: number }>`select * from graph_state()`))[0]
const generationsHeld = async () =>
  (
    await rows(
      sql<{ generation: number }>`select distinct generation from graph.nodes where tenant_id = twofold.current_tenant() order by 1`,
    )
  ).map((row) => row.generation)
const add = (content: string, more: object = {}) =>
  tenant.add({ content, waitFor: 'graph', entities: [{ type: 'person', value: 'Ada' }], ...more })
const connected = async () =>
  (await tenant.post('/v1/graph/query', { start: { value: 'Ada' }, hops: 1 })).json.nodes?.filter((one: any) => one.kind === 'memory')
    .length
const disagreements = async () => {
  const found: Difference[] = []
  await here.deps.graph.session('reuse', async (session) => {
    for await (const { differences } of check(here.deps, tenant.id, {
      scope: scopeOf(['*']),
      deep: true,
      from: 0,
      session,
      timeoutMs: 60_000,
    }))
      found.push(...differences)
  })
  return found
}

/** A rebuild of the whole tenant that nobody is at: its caller went after the first step. */
async function begun(): Promise<string> {
  const [id, lease] = [here.deps.id(), null]
  await rows(
    sql`insert into sync_runs (tenant_id, id, operation, options, prefixes, exclusive, started_at, lease)
      values (current_tenant(), ${id}::uuid, 'rebuild', '{"limit":100,"dryRun":false,"deep":false,"adopt":false,"clearExisting":true}', '{*}', true, ${here.deps.now().toISOString()}::timestamptz, ${lease}::uuid)`,
  )
  return id
}
const step = (id: string) => advance(here.deps, tenant.id, id, { until: new Date(0) }) as Promise<Advanced>
/** Steps until the run is about to begin this phase. */
async function until(id: string, phase: string): Promise<void> {
  for (let i = 0; i < 50; i++) if ((await step(id)).run.phase === phase) return
  throw new Error(`the run never came to ${phase}`)
}
const finish = async (id: string) => {
  for (let i = 0; i < 50 && !(await follow(id)).done; i++) {
    here.pass(5_000)
    await runs(here.deps)()
  }
  return follow(id)
}

describe('a rebuild of the whole tenant', () => {
  test('puts a new generation in the place of the old one, with everything, and touches no ledger row', async () => {
    for (let i = 0; i < 3; i++) await add(`Fact ${i} about Ada`)
    const revisions = () => rows(sql`select id, revision, shown from ledger where tenant_id = current_tenant() order by id`)
    const before = await revisions()
    const answer = await ask({ operation: 'rebuild' })
    expect(answer).toMatchObject({ status: 'success', done: true, result: { totalChecked: 3, failed: 0, inconsistencies: [] } })
    expect(await state()).toEqual({ generations: [2], epoch: 3 })
    expect(await connected()).toBe(3)
    expect(await revisions()).toEqual(before)
    expect(await disagreements()).toEqual([])
    expect(await generationsHeld()).toEqual([1, 2])
    await runs(here.deps)()
    expect(await generationsHeld()).toEqual([1, 2])
    here.pass(61_000)
    await runs(here.deps)()
    expect(await generationsHeld()).toEqual([2])
    // Whoever stood still all that time, and thinks that it is read.
    await rows(sql`insert into graph.nodes (tenant_id, generation, id, kind, subject, revision, bucket, digest_high, digest_low, labels, properties)
      select tenant_id, 1, id, kind, subject, revision, bucket, digest_high, digest_low, labels, properties from graph.nodes where tenant_id = current_tenant()`)
    here.pass(24 * 3600_000)
    await runs(here.deps)()
    expect(await generationsHeld()).toEqual([2])
    expect(await rows(sql`select 1 from graph_generations where tenant_id = current_tenant()`)).toEqual([])
  })

  test('is a way back from a graph of which nothing is left, without a model', async () => {
    for (let i = 0; i < 3; i++) await add(`Fact ${i} about Ada`)
    await rows(sql`delete from graph.nodes where tenant_id = twofold.current_tenant()`)
    await rows(sql`delete from graph.edges where tenant_id = twofold.current_tenant()`)
    here.provider.fail('server-error')
    try {
      expect(await ask({ operation: 'rebuild' })).toMatchObject({ status: 'success', done: true })
    } finally {
      here.provider.fail(null)
    }
    expect(await connected()).toBe(3)
    expect(await disagreements()).toEqual([])
  })

  test('of an empty tenant is done at once', async () => {
    expect(await ask({ operation: 'rebuild' })).toMatchObject({ status: 'success', done: true, result: { totalChecked: 0 } })
    expect(await disagreements()).toEqual([])
  })

  test.each([1, 2, 3, 4, 5, 6])('is seen by nobody before its end, while writes go on after its step %i', async (steps) => {
    const [kept, changed, deleted] = [await add('kept'), await add('changed'), await add('deleted')]
    const owed = await tenant.add({ content: 'owed before', entities: [{ type: 'person', value: 'Ada' }] })
    const id = await begun()
    for (let i = 0; i < steps; i++) expect((await step(id)).run.ended_at).toBeNull()
    expect(await connected()).toBeGreaterThanOrEqual(3)
    expect((await state())?.generations).toEqual([1, 2])
    await tenant.patch(`/v1/memories/${changed.id}`, { importance: 9, waitFor: 'graph' })
    await tenant.del(`/v1/memories/${deleted.id}?hard=true`)
    const fresh = await add('fresh')
    expect(await connected()).toBeGreaterThanOrEqual(3)
    expect(await finish(id)).toMatchObject({ status: 'success', done: true })
    await sweep(here.deps)
    expect((await state())?.generations).toEqual([2])
    const { json } = await tenant.post('/v1/graph/query', { start: { value: 'Ada' }, hops: 1 })
    expect(
      json.nodes
        .filter((one: any) => one.kind === 'memory')
        .map((one: any) => one.id)
        .sort(),
    ).toEqual([kept.id, changed.id, owed.id, fresh.id].sort())
    expect(await disagreements()).toEqual([])
  })

  test('goes on where a killed process left it, once its lease is over', async () => {
    await add('one')
    const id = await begun()
    await until(id, 'fill')
    const terms = {
      lease: here.deps.id(),
      now: here.deps.now().toISOString(),
      until: new Date(here.deps.now().getTime() + 60_000).toISOString(),
    }
    expect(await rows(takeRun(id, terms))).toHaveLength(1)
    await runs(here.deps)()
    expect(await follow(id)).toMatchObject({ done: false, status: 'running', progress: { phase: 'fill' } })
    here.pass(61_000)
    expect(await finish(id)).toMatchObject({ done: true, status: 'success' })
    expect(await disagreements()).toEqual([])
  })

  test('never runs beside another, and the other one is named', async () => {
    await add('one')
    const id = await begun()
    const refused = await tenant.post('/api/persistence/sync', { operation: 'rebuild' })
    expect([refused.status, refused.json.code, refused.json.runId]).toEqual([409, 'conflict', id])
    expect(await ask({ operation: 'rebuild', userId: 'alice' })).toMatchObject({ done: true })
    expect(await ask({ operation: 'check' })).toMatchObject({ done: true, result: { inconsistencies: [] } })
    await finish(id)
    expect(await ask({ operation: 'rebuild' })).toMatchObject({ status: 'success' })
    expect((await state())?.generations).toEqual([3])
  })

  test('that is stopped leaves the graph that is read as it was, and nothing of its own', async () => {
    await add('one')
    const id = await begun()
    await until(id, 'fill')
    const stopped = (await tenant.del(`/api/persistence/sync/${id}`)).json
    expect(stopped).toMatchObject({ done: true, status: 'stopped' })
    expect((await tenant.del(`/api/persistence/sync/${id}`)).json).toMatchObject({ status: 'stopped' })
    expect((await state())?.generations).toEqual([1])
    here.pass(61_000)
    await runs(here.deps)()
    expect(await generationsHeld()).toEqual([1])
    expect(await disagreements()).toEqual([])
    expect(await ask({ operation: 'rebuild' })).toMatchObject({ status: 'success' })
    expect((await state())?.generations).toEqual([3])
  })

  test('waits out a graph that is away, says why, and comes to its end', async () => {
    await add('one')
    const id = await begun()
    await until(id, 'fill')
    await here.withGraph('down', async () => {
      const { run } = await step(id)
      expect(run.ended_at).toBeNull()
      expect(await follow(id)).toMatchObject({ done: false, failure: expect.stringContaining('failed') })
    })
    expect(await finish(id)).toMatchObject({ status: 'success' })
    expect((await follow(id)).failure).toBeUndefined()
  })

  test('takes in what Postgres has behind the ledger’s back', async () => {
    const { id } = await add('before')
    await rows(sql`update memories set content = 'after' where tenant_id = current_tenant() and id = ${id}::uuid`)
    const other = await add('unknown')
    await here.owner('delete from twofold.ledger where id = $1', [other.id])
    expect(await finish((await ask({ operation: 'rebuild' })).runId)).toMatchObject({ status: 'success' })
    expect(await disagreements()).toEqual([])
    expect(await connected()).toBe(2)
  })

  test('tried dry changes nothing and says what stands otherwise', async () => {
    const { id } = await add('lost')
    await lose(id)
    const before = await state()
    expect(await ask({ operation: 'rebuild', dryRun: true })).toMatchObject({
      status: 'success',
      result: { inconsistencies: [{ id, remedy: 'project' }] },
    })
    expect(await state()).toEqual(before)
    expect(await connected()).toBe(0)
  })
})

describe('a rebuild of a part', () => {
  test('shows everything of a user anew, in place, and nobody else’s', async () => {
    const mine = await add('mine')
    const other = await add('theirs', { userId: 'bob' })
    const revision = async (id: string) =>
      (await rows(sql<{ revision: number }>`select revision from ledger where tenant_id = current_tenant() and id = ${id}::uuid`))[0]
        ?.revision
    await rows(sql`update graph.nodes set properties = properties || '{"importance": 9.5}' where tenant_id = twofold.current_tenant()`)
    expect(await ask({ operation: 'rebuild', userId: 'alice' })).toMatchObject({
      status: 'success',
      done: true,
      result: { totalChecked: 1, failed: 0 },
    })
    expect((await state())?.generations).toEqual([1])
    expect([await revision(mine.id), await revision(other.id)]).toEqual([2, 1])
    expect((await disagreements()).map((one) => one.id)).toContain(other.id)
    expect((await disagreements()).map((one) => one.id)).not.toContain(mine.id)
  })

  test('takes away what nothing stands behind', async () => {
    await add('mine', { namespace: 'user:alice:work' })
    const fresh = '0190ffff-0000-7000-8000-00000000dd04'
    await rows(sql`insert into graph.nodes (tenant_id, generation, id, kind, subject, revision, bucket, digest_high, digest_low, labels, properties)
      values (twofold.current_tenant(), 1, ${fresh}::uuid, 'memory', 'user:alice', 1, twofold.bucket_of(${fresh}::uuid), 1, 2, '{}', '{"namespace":"user:alice:work"}')`)
    expect(await ask({ operation: 'rebuild', namespacePrefix: 'user:alice:work' })).toMatchObject({
      status: 'success',
      result: { repaired: 1 },
    })
    expect(await disagreements()).toEqual([])
  })

  test('or of all, that clears nothing, shows what is missing and leaves the rest', async () => {
    const [lost, wrong] = [await add('lost'), await add('wrong')]
    await lose(lost.id)
    await rows(
      sql`update graph.nodes set properties = properties || '{"importance": 9.5}' where tenant_id = twofold.current_tenant() and id = ${wrong.id}::uuid`,
    )
    expect(await ask({ operation: 'rebuild', clearExisting: false, deep: true })).toMatchObject({
      status: 'success',
      result: { repaired: 1, failed: 0 },
    })
    expect((await state())?.generations).toEqual([1])
    expect((await disagreements()).map(({ id }) => id)).toEqual([wrong.id])
  })
})

describe('a run', () => {
  test('is for those to see who may see all that it looks at', async () => {
    await add('one')
    const { runId } = await ask({ operation: 'check' })
    const narrow = await tenant.keyFor(['sync'], ['user:alice'])
    expect((await tenant.get(`/api/persistence/sync/${runId}`, { key: narrow })).json.code).toBe('not_found')
    expect((await tenant.del(`/api/persistence/sync/${runId}`, { key: narrow })).json.code).toBe('not_found')
    const own = await ask({ operation: 'check' }, narrow)
    expect(await follow(own.runId, narrow)).toMatchObject({ done: true, status: 'success' })
    expect(await follow(own.runId)).toMatchObject({ done: true })
    const other = await here.tenant()
    expect((await other.get(`/api/persistence/sync/${runId}`)).json.code).toBe('not_found')
    expect((await tenant.get('/api/persistence/sync/nonsense')).json.code).toBe('invalid')
    expect((await tenant.get(`/api/persistence/sync/${runId}`, { key: await tenant.keyFor(['memories:read'], ['*']) })).json.code).toBe(
      'forbidden',
    )
  })

  test('keeps what it found without what the things hold, and says how far it has come', async () => {
    const { id } = await add('lost')
    await lose(id)
    const { runId, result } = await ask({ operation: 'repair' })
    expect(result.inconsistencies).toMatchObject([{ id, expected: { revision: 1 } }])
    expect(await follow(runId)).toMatchObject({
      ...{ operation: 'repair', done: true, status: 'success' },
      progress: { phase: 'repair', done: 2, total: 2, timeLeftMs: 0, endedAt: expect.stringMatching(/Z$/) },
      result: { repaired: 1, inconsistencies: [{ kind: 'missing', store: 'graph', id, what: 'memory', remedy: 'project' }] },
    })
  })

  test('that its caller was told has failed is not gone on with', async () => {
    await add('one')
    await here.withGraph('down', async () => expect((await ask({ operation: 'check' })).code).toBe('unavailable'))
    expect(await rows(sql`select 1 from sync_runs where tenant_id = current_tenant() and ended_at is null`)).toEqual([])
  })
})

describe('by itself', () => {
  test('what changed since the last look is looked at again, and put right', async () => {
    const { id } = await add('first')
    for (let i = 0; i < 2; i++) {
      await incremental(here.deps)()
      here.pass(300_000)
    }
    await lose(id)
    await incremental(here.deps)()
    expect(await connected()).toBe(0)
    const later = await add('second')
    await lose(later.id)
    await incremental(here.deps)()
    expect(await connected()).toBe(1)
    const counted = await rows(sql<{ checked: number; repaired: number }>`
      select checked, repaired from sync_runs where tenant_id = current_tenant() and operation = 'incremental' order by started_at`)
    expect(counted.at(-1)).toEqual({ checked: 1, repaired: 1 })
  })

  test('a look at what changed goes on where its time was up', async () => {
    await add('first')
    await syncChanges(here.deps, tenant.id, { until: here.deps.now() })
    await runs(here.deps)()
    const looks = sql`select outcome, failure, checked from sync_runs where tenant_id = current_tenant() and operation = 'incremental'`
    expect(await rows(looks)).toEqual([{ outcome: 'success', failure: null, checked: 1 }])
  })

  test('every tenant is looked at once a night, deeply; what somebody made by hand is left to a person', async () => {
    const { id } = await add('wrong')
    await rows(
      sql`update graph.nodes set properties = properties || '{"importance": 9.5}' where tenant_id = twofold.current_tenant() and id = ${id}::uuid`,
    )
    const fresh = '0190ffff-0000-7000-8000-00000000ee05'
    await rows(sql`insert into graph.nodes (tenant_id, generation, id, kind, subject, revision, bucket, digest_high, digest_low, labels, properties)
      values (twofold.current_tenant(), 1, ${fresh}::uuid, 'entity', 'user:alice', 1, twofold.bucket_of(${fresh}::uuid), 1, 2, '{}', '{"type":"person","value":"Eve"}')`)
    const nights = () =>
      rows(
        sql<{
          ended: boolean
        }>`select ended_at is not null as ended from sync_runs where tenant_id = current_tenant() and operation = 'nightly'`,
      )
    here.pass(24 * 3600_000)
    await nightly(here.deps)()
    await nightly(here.deps)()
    expect(await nights()).toEqual([{ ended: false }])
    await runs(here.deps)()
    expect(await nights()).toEqual([{ ended: true }])
    expect((await disagreements()).map((one) => [one.kind, one.id])).toEqual([['orphaned', fresh]])
    expect((await tenant.get('/api/persistence/sync')).json.stats.drift).toEqual({ open: 1, repaired: 1 })
    expect((await tenant.get('/api/persistence/status')).json.status).toBe('degraded')
  })

  test('what ended a month ago is forgotten, what is open is not', async () => {
    const [lost, open] = [await add('lost'), await add('open')]
    await lose(lost.id)
    await ask({ operation: 'repair' })
    await lose(open.id)
    await ask({ operation: 'check' })
    expect((await tenant.get('/api/persistence/sync')).json.stats.drift).toEqual({ open: 1, repaired: 1 })
    here.pass(31 * 24 * 3600_000)
    await purge(here.deps)()
    expect((await tenant.get('/api/persistence/sync')).json.stats).toMatchObject({ lastRun: null, drift: { open: 1, repaired: 0 } })
  })
})
