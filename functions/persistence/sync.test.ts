import { sql } from '@twofold/core/sql.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sweep, type Tenant, type World, world } from '../fixture.ts'

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

const sync = async (input: object, key?: string) => (await tenant.post('/api/persistence/sync', input, key ? { key } : {})).json
const settle = async () => {
  for (let i = 0; i < 4; i++) await sweep(here.deps)
}
const damage = (statement: ReturnType<typeof sql>) => here.deps.db.asTenant(tenant.id, [statement])
const lose = (id: string) => damage(sql`delete from graph.nodes where tenant_id = twofold.current_tenant() and id = ${id}::uuid`)
const stats = async () => (await tenant.get('/api/persistence/sync')).json.stats
const nodes = async () => (await tenant.get('/api/persistence/status')).json.metrics.graphStoreCount
const revisions = async () =>
  (await here.deps.db.asTenant(tenant.id, [sql`select id, revision from ledger where tenant_id = current_tenant() order by id`]))[0]

describe('two stores that agree', () => {
  test.each(['check', 'repair', 'full'])('are told so by %s, with the number of memories that were compared', async (operation) => {
    for (let i = 0; i < 3; i++) await tenant.add({ content: `Fact ${i} about Mount Everest`, waitFor: 'graph' })
    expect(await sync({ operation, userId: 'alice' })).toEqual({
      ...{ status: 'success', operation, runId: expect.any(String), done: true, progress: expect.any(Object) },
      result: { totalChecked: 3, inconsistencies: [], repaired: 0, failed: 0, owed: 0, duration: expect.any(Number) },
    })
    expect(await stats()).toMatchObject({ syncPercentage: 100, lastRun: expect.stringMatching(/Z$/), drift: { open: 0, repaired: 0 } })
  })

  test('may owe each other something, which is counted apart', async () => {
    await tenant.add({ content: 'one', waitFor: 'graph' })
    const { id } = await tenant.add({ content: 'two', waitFor: 'graph' })
    await tenant.patch(`/v1/memories/${id}`, { content: 'two, changed' })
    expect((await sync({ operation: 'check', deep: true })).result).toMatchObject({ totalChecked: 2, inconsistencies: [], owed: 1 })
  })

  test('agree about what is due to expire, deleted or restored', async () => {
    const expiresAt = new Date(here.deps.now().getTime() + 3600_000).toISOString()
    await tenant.add({ content: 'late', waitFor: 'graph', expiresAt })
    const soft = await tenant.add({ content: 'soft', waitFor: 'graph' })
    const hard = await tenant.add({ content: 'hard', waitFor: 'graph' })
    await tenant.del(`/v1/memories/${soft.id}`)
    await tenant.del(`/v1/memories/${hard.id}?hard=true`)
    await settle()
    here.pass(2 * 3600_000)
    expect((await sync({ operation: 'check', deep: true })).result.inconsistencies).toEqual([])
    await tenant.post(`/v1/memories/${soft.id}/restore`)
    await settle()
    expect((await sync({ operation: 'check', deep: true })).result.inconsistencies).toEqual([])
  })
})

describe('a difference', () => {
  test('is found, noted, shown in the status, repaired, and nothing else is touched', async () => {
    const kept = await tenant.add({ content: 'kept', waitFor: 'graph' })
    const { id } = await tenant.add({ content: 'lost', waitFor: 'graph' })
    await lose(id)
    const before = await revisions()
    const checked = await sync({ operation: 'check' })
    expect(checked.result).toMatchObject({
      repaired: 0,
      failed: 0,
      inconsistencies: [{ kind: 'missing', store: 'graph', id, what: 'memory', remedy: 'project' }],
    })
    expect(await revisions()).toEqual(before)
    expect((await stats()).drift).toEqual({ open: 1, repaired: 0 })
    expect((await tenant.get('/api/persistence/status')).json.status).toBe('degraded')
    expect((await sync({ operation: 'full' })).result).toMatchObject({ repaired: 1, failed: 0, inconsistencies: [{ id }] })
    expect((await stats()).drift).toEqual({ open: 0, repaired: 1 })
    expect((await tenant.get('/api/persistence/status')).json.status).toBe('healthy')
    expect(await nodes()).toBe(2)
    const after = new Map((await revisions()).map((row: any) => [row.id, row.revision]))
    expect(before.filter((row: any) => after.get(row.id) !== row.revision)).toMatchObject([{ id }])
    expect(after.get(kept.id)).toBe(1)
  })

  test('is told and left alone by a dry run, which notes nothing', async () => {
    const { id } = await tenant.add({ content: 'lost', waitFor: 'graph' })
    await lose(id)
    for (const operation of ['check', 'repair', 'full'])
      expect((await sync({ operation, dryRun: true })).result).toMatchObject({
        repaired: 0,
        failed: 0,
        inconsistencies: [{ id, remedy: 'project' }],
      })
    expect(await nodes()).toBe(0)
    expect((await stats()).drift).toEqual({ open: 0, repaired: 0 })
  })

  test('that went by itself is open no longer after the next look', async () => {
    const { id } = await tenant.add({ content: 'lost', waitFor: 'graph' })
    await lose(id)
    await sync({ operation: 'check' })
    await tenant.patch(`/v1/memories/${id}`, { content: 'found' })
    await settle()
    await sync({ operation: 'check' })
    expect((await stats()).drift).toEqual({ open: 0, repaired: 1 })
  })

  test('of which there are many is listed up to the limit, and repaired all the same', async () => {
    for (let i = 0; i < 4; i++) await lose((await tenant.add({ content: `lost ${i}`, waitFor: 'graph' })).id)
    const { result } = await sync({ operation: 'repair', limit: 2 })
    expect(result).toMatchObject({ repaired: 4, failed: 0 })
    expect(result.inconsistencies).toHaveLength(2)
    expect(await nodes()).toBe(4)
  })

  test('that Postgres has behind the ledger’s back is found by a deep check', async () => {
    const { id } = await tenant.add({ content: 'before', waitFor: 'graph' })
    const other = await tenant.add({ content: 'unknown', waitFor: 'graph' })
    await damage(sql`update memories set content = 'after' where tenant_id = current_tenant() and id = ${id}::uuid`)
    await here.owner(`delete from twofold.ledger where id = $1`, [other.id])
    await lose(other.id)
    expect((await sync({ operation: 'check' })).result.inconsistencies).toEqual([])
    const { result } = await sync({ operation: 'full', deep: true })
    expect(result.inconsistencies).toMatchObject([
      { kind: 'missing', id: other.id },
      { kind: 'stale', id },
    ])
    expect(result).toMatchObject({ repaired: 2, failed: 0 })
  })
})

describe('a run', () => {
  test('of one user or prefix neither sees nor touches the others', async () => {
    const mine = await tenant.add({ content: 'mine', namespace: 'user:al:work', waitFor: 'graph' } as never)
    const deeper = await tenant.add({ content: 'deeper', namespace: 'user:al:work:today', waitFor: 'graph' } as never)
    const other = await tenant.add({ content: 'other', namespace: 'user:alice', waitFor: 'graph' } as never)
    for (const { id } of [mine, deeper, other]) await lose(id)
    const ids = async (input: object) => {
      const { result } = await sync({ operation: 'check', dryRun: true, ...input })
      return [result.totalChecked, result.inconsistencies.map((one: any) => one.id).sort()]
    }
    expect(await ids({ userId: 'al' })).toEqual([2, [mine.id, deeper.id].sort()])
    expect(await ids({ namespacePrefix: 'user:al:work:today' })).toEqual([1, [deeper.id]])
    expect(await ids({ namespacePrefix: 'user' })).toEqual([3, [mine.id, deeper.id, other.id].sort()])
    expect(await ids({ userId: 'nobody' })).toEqual([0, []])
    expect((await sync({ operation: 'repair', userId: 'al' })).result.repaired).toBe(2)
    expect(await ids({})).toEqual([3, [other.id]])
    const narrow = await tenant.keyFor(['sync'], ['user:al'])
    expect((await sync({ operation: 'repair' }, narrow)).result).toMatchObject({ totalChecked: 2, repaired: 0 })
    expect((await sync({ operation: 'check', userId: 'alice' }, narrow)).code).toBe('forbidden')
  })

  test('of another tenant sees nothing of this one', async () => {
    await lose((await tenant.add({ content: 'lost', waitFor: 'graph' })).id)
    const other = await here.tenant()
    expect((await other.post('/api/persistence/sync', { operation: 'full', deep: true })).json.result).toMatchObject({
      totalChecked: 0,
      inconsistencies: [],
    })
    expect((await other.get('/api/persistence/sync')).json.stats).toMatchObject({
      drift: { open: 0, repaired: 0 },
      lastRun: expect.any(String),
    })
    expect((await stats()).lastRun).toBeNull()
  })

  test('is for those with the scope, and of what there is', async () => {
    expect((await sync({ operation: 'check' }, await tenant.keyFor(['graph:write'], ['*']))).code).toBe('forbidden')
    expect((await sync({ operation: 'explode' })).errors[0]).toMatchObject({ path: 'operation' })
    expect((await sync({ operation: 'check', userId: 'a', namespacePrefix: 'user:a' })).code).toBe('invalid')
  })

  test('fails clearly while the graph is out of reach', async () => {
    await tenant.add({ content: 'one', waitFor: 'graph' })
    await here.withGraph('down', async () => expect((await sync({ operation: 'repair' })).code).toBe('unavailable'))
  })
})

describe('what somebody added to the graph by hand', () => {
  const [maria, unknown] = ['0190ffff-0000-7000-8000-00000000aa01', '0190ffff-0000-7000-8000-00000000bb02']
  const addEntity = (id: string, properties: object) =>
    damage(sql`insert into graph.nodes (tenant_id, generation, id, kind, subject, revision, bucket, digest_high, digest_low, labels, properties)
      values (twofold.current_tenant(), 1, ${id}::uuid, 'entity', 'user:alice', 1, twofold.bucket_of(${id}::uuid), 1, 2, '{}', ${JSON.stringify(properties)}::jsonb)`)
  const addEdge = (from: string, to: string) =>
    damage(sql`insert into graph.edges (tenant_id, generation, owner, type, from_id, to_id, relation, namespace, confidence)
      values (twofold.current_tenant(), 1, ${unknown}::uuid, 'RELATES_TO', ${from}::uuid, ${to}::uuid, 'knows', 'user:alice', 1)`)
  const entities = async () => (await tenant.get('/v1/graph/entities')).json.items.map((one: any) => one.value).sort()

  beforeEach(async () => {
    await tenant.post('/v1/graph/entities', { entities: [{ type: 'person', value: 'Ada', subject: 'user:alice' }], waitFor: 'graph' })
    const ada = (await tenant.get('/v1/graph/entities')).json.items[0].id
    await addEntity(maria, { type: 'person', value: 'Maria', normalized: 'maria' })
    await addEdge(ada, maria)
  })

  test('is found as orphaned and removed by repair alone', async () => {
    const { result } = await sync({ operation: 'check' })
    expect(result.inconsistencies.map((one: any) => [one.kind, one.id, one.what, one.remedy]).sort()).toEqual([
      ['orphaned', maria, 'entity', 'remove'],
      ['orphaned', unknown, 'edge', 'remove'],
    ])
    expect((await sync({ operation: 'full' })).result).toMatchObject({ repaired: 2, failed: 0 })
    expect((await sync({ operation: 'check', deep: true })).result.inconsistencies).toEqual([])
    expect(await entities()).toEqual(['Ada'])
  })

  test('is taken into Postgres when that is asked for, and stays', async () => {
    expect((await sync({ operation: 'repair', adopt: true, dryRun: true })).result.inconsistencies).toMatchObject([
      { remedy: 'adopt' },
      { remedy: 'adopt' },
    ])
    expect((await sync({ operation: 'full', adopt: true })).result).toMatchObject({ repaired: 2, failed: 0 })
    expect(await entities()).toEqual(['Ada', 'Maria'])
    const { json } = await tenant.post('/v1/graph/query', { start: { type: 'person', value: 'Ada' }, namespacePrefix: 'user:alice' })
    expect(json.edges).toMatchObject([{ type: 'RELATES_TO', properties: { type: 'knows' } }])
    expect((await sync({ operation: 'check', deep: true })).result.inconsistencies).toEqual([])
  })

  test('and has no name that Postgres could take stays where it is when it is to be adopted', async () => {
    await addEntity('0190ffff-0000-7000-8000-00000000cc03', { type: '', value: '' })
    expect(await sync({ operation: 'repair', adopt: true })).toMatchObject({ status: 'partial', result: { repaired: 2, failed: 1 } })
    expect((await sync({ operation: 'repair' })).result).toMatchObject({ repaired: 1, failed: 0 })
  })
})
