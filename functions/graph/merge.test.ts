import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Ask, sweep, type Tenant, type World, world } from '../fixture.ts'

/** Two entities that are one, and what an undo gives back. */

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const subject = 'user:alice'
const person = (value: string) => ({ type: 'person', value })
const named = (value: string) => ({ ...person(value), subject })
const know = (content: string, people: string[], more: object = {}) =>
  tenant.add({ content, entities: people.map(person), extractEntities: false, waitFor: 'graph', ...more })
const link = (from: string, type: string, to: string) =>
  tenant.post('/v1/graph/links', { links: [{ from: named(from), type, to: named(to) }], waitFor: 'graph' })
const ids = new Map<string, string>()
const idOf = async (value: string): Promise<string> => {
  for (const item of (await tenant.get('/v1/graph/entities?limit=500')).json.items) ids.set(`${tenant.id} ${item.value}`, item.id)
  return ids.get(`${tenant.id} ${value}`) as string
}
const merge = async (one: string, into: string, more: object = {}, ask?: Ask) =>
  tenant.post(`/v1/graph/entities/${await idOf(one)}/merge`, { into: await idOf(into), waitFor: 'graph', ...more }, ask)
const unmerge = async (one: string, ask?: Ask) => tenant.post(`/v1/graph/entities/${await idOf(one)}/unmerge`, { waitFor: 'graph' }, ask)
const values = async (query = ''): Promise<string[]> =>
  (await tenant.get(`/v1/graph/entities${query}`)).json.items.map((e: { value: string }) => e.value).sort()
/** What a walk from a name shows, and by which edges. */
const around = async (value: string, hops = 1) => {
  const { nodes, edges } = (await tenant.post('/v1/graph/query', { start: { value }, hops, limit: 100 })).json
  const names = new Map(nodes.map((node: any) => [node.id, node.content ?? node.value]))
  return {
    nodes: [...names.values()].sort(),
    edges: edges.map((e: any) => `${names.get(e.from)} ${e.properties.type ?? e.type} ${names.get(e.to)}`).sort(),
  }
}
const context = async (value: string) => (await tenant.get(`/v1/graph/entities/${await idOf(value)}/context`)).json
/** A deep look at both stores finds them equal. */
const agree = async () => {
  for (let i = 0; i < 3; i++) await sweep(here.deps)
  const { json } = await tenant.post('/api/persistence/sync', { operation: 'check', deep: true })
  expect(json).toMatchObject({ done: true, result: { inconsistencies: [] } })
}

describe('two entities that are one', () => {
  beforeEach(async () => {
    await know('Bob sleeps', ['Bob'])
    await know('Robert works', ['Robert', 'Carl'], { relations: [{ from: person('Robert'), type: 'knows', to: person('Carl') }] })
    await know('Bob is Robert', ['Bob', 'Robert'], { relations: [{ from: person('Bob'), type: 'is', to: person('Robert') }] })
    await link('Dora', 'likes', 'Robert')
    await link('Robert', 'likes', 'Dora')
    await link('Bob', 'likes', 'Dora')
  })
  const whole = {
    nodes: ['Bob is Robert', 'Bob sleeps', 'Carl', 'Dora', 'Robert works', 'Bob'].sort(),
    edges: [
      ...['Bob is Robert MENTIONS Bob', 'Bob knows Carl', 'Bob likes Dora', 'Bob sleeps MENTIONS Bob', 'Dora likes Bob'],
      ...['Robert works MENTIONS Bob', 'Robert works MENTIONS Carl'],
    ].sort(),
  }

  test('are one wherever one looks, by either name', async () => {
    const [bob, robert] = [await idOf('Bob'), await idOf('Robert')]
    const { status, json } = await merge('Robert', 'Bob')
    expect([status, json.entity.id, json.merged.id]).toEqual([200, bob, robert])
    expect(json.receipt).toMatchObject({ graphWriteSuccess: true, owed: [] })
    expect(await values()).toEqual(['Bob', 'Carl', 'Dora'])
    expect(await values('?q=robert')).toEqual(['Bob'])
    expect(await around('Bob')).toEqual(whole)
    expect(await around('Robert')).toEqual(whole)
    expect((await tenant.get(`/v1/graph/entities/${robert}`)).json).toMatchObject({ id: bob, value: 'Bob' })
    const { memories, aliases, coMentioned } = await context('Robert')
    expect(memories.map((m: any) => m.content)).toEqual(['Bob is Robert', 'Robert works', 'Bob sleeps'])
    expect([aliases, coMentioned]).toMatchObject([[{ id: robert, value: 'Robert' }], [{ entity: { value: 'Carl' }, memories: 1 }]])
    expect((await tenant.post('/v1/memories/search', { userId: 'alice', query: 'Robert', expand: { hops: 2 } })).json.results).toHaveLength(
      3,
    )
    await agree()
  })

  test('take what is said later by either name', async () => {
    await merge('Robert', 'Bob')
    const { id, entities } = await know('Robert paints', ['Robert'])
    expect(entities).toMatchObject([{ value: 'Robert' }])
    await link('Robert', 'owns', 'Boat')
    expect((await around('Bob')).nodes).toEqual([...whole.nodes, 'Robert paints', 'Boat'].sort())
    expect(await values()).toEqual(['Boat', 'Bob', 'Carl', 'Dora'])
    await tenant.patch(`/v1/memories/${id}`, { entities: [person('Robert'), person('Bob')], content: 'Robert, or Bob' })
    for (let i = 0; i < 2; i++) await sweep(here.deps)
    expect((await context('Bob')).memories.map((m: any) => m.content).filter((c: string) => c === 'Robert, or Bob')).toHaveLength(1)
    await agree()
  })

  test('are as they were after an undo, with what was said since by its name', async () => {
    const before = [await around('Bob'), await around('Robert'), await context('Robert'), await values()]
    await merge('Robert', 'Bob')
    const { status, json } = await unmerge('Robert')
    expect([status, json.entity.value, json.from.value, json.receipt.graphWriteSuccess]).toEqual([200, 'Robert', 'Bob', true])
    const { freshness, ...after } = await context('Robert')
    expect([await around('Bob'), await around('Robert'), { ...after, freshness: before[2].freshness }, await values()]).toEqual(before)
    await merge('Robert', 'Bob')
    await know('Robert paints', ['Robert'])
    await know('Bob runs', ['Bob'])
    await unmerge('Robert')
    expect((await around('Robert')).nodes).toContain('Robert paints')
    expect((await around('Bob')).nodes).toContain('Bob runs')
    expect((await around('Bob')).nodes).not.toContain('Robert paints')
    await agree()
  })

  test('may be three, undone in any order', async () => {
    const [before, robert] = [await Promise.all(['Bob', 'Robert', 'Carl'].map((name) => around(name))), await idOf('Robert')]
    await merge('Robert', 'Bob')
    await merge('Bob', 'Carl')
    expect(await values()).toEqual(['Carl', 'Dora'])
    expect((await around('Robert')).nodes).toContain('Carl')
    expect((await tenant.get(`/v1/graph/entities/${robert}/context`)).json).toMatchObject({
      entity: { value: 'Carl' },
      aliases: [{ value: 'Bob' }, { value: 'Robert' }],
    })
    await agree()
    await unmerge('Robert')
    expect((await around('Robert')).nodes).toContain('Robert works')
    expect((await around('Robert')).nodes).not.toContain('Bob sleeps')
    await unmerge('Bob')
    expect(await Promise.all(['Bob', 'Robert', 'Carl'].map((name) => around(name)))).toEqual(before)
    await merge('Robert', 'Bob')
    await merge('Bob', 'Carl')
    await unmerge('Bob')
    expect(await around('Robert')).toEqual(whole)
    await unmerge('Robert')
    expect(await Promise.all(['Bob', 'Robert', 'Carl'].map((name) => around(name)))).toEqual(before)
    await agree()
  })

  test('go together when nothing mentions them any more', async () => {
    const extra = await know('Zoe and Zora', ['Zoe', 'Zora'])
    await merge('Zora', 'Zoe')
    await tenant.del(`/v1/memories/${extra.id}?hard=true`)
    for (let i = 0; i < 3; i++) await sweep(here.deps)
    expect(
      await here.owner(
        `select value from twofold.entities where value in ('Zoe', 'Zora') and tenant_id = (select id from twofold.tenants where uuid = $1)`,
        [tenant.id],
      ),
    ).toEqual([])
    await know('Zora again', ['Zora'])
    expect(await values('?q=zora')).toEqual(['Zora'])
    await agree()
  })

  test('stay while one of them was made for its own sake', async () => {
    const memory = await know('Xaver', ['Xaver'])
    await tenant.post('/v1/graph/entities', { entities: [named('Xav')] })
    await merge('Xav', 'Xaver')
    await tenant.del(`/v1/memories/${memory.id}?hard=true`)
    for (let i = 0; i < 3; i++) await sweep(here.deps)
    expect(await values('?q=xav')).toEqual(['Xaver'])
    await unmerge('Xav')
    for (let i = 0; i < 3; i++) await sweep(here.deps)
    expect([await values('?q=xav'), await values('?q=xaver')]).toEqual([['Xav'], []])
    await agree()
  })

  test('are merged once, whoever else wants to, and while others speak of them', async () => {
    const [robert, bob, carl] = [await idOf('Robert'), await idOf('Bob'), await idOf('Carl')]
    const one = (id: string, into: string) => tenant.post(`/v1/graph/entities/${id}/merge`, { into })
    const answers = await Promise.all([
      ...[one(robert, bob), one(robert, bob), one(robert, carl), one(bob, robert)],
      ...Array.from({ length: 8 }, (_, i) => know(`Robert says ${i}`, ['Robert', 'Bob'], { waitFor: undefined }).then(() => null)),
    ])
    const statuses = answers.flatMap((answer) => (answer ? [answer.status] : []))
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(1)
    expect(statuses.every((status) => [200, 400, 409].includes(status))).toBe(true)
    expect(
      await here.owner(
        `select me.memory_id from twofold.memory_entities me join twofold.entities e on e.tenant_id = me.tenant_id and e.id = me.entity_id where e.kept_id is not null`,
      ),
    ).toEqual([])
    await agree()
  })

  test('are merged once by a request that is sent twice, and it is noted who did it', async () => {
    const headers = { 'idempotency-key': randomUUID() }
    const first = await merge('Robert', 'Bob', {}, { headers })
    const again = await merge('Robert', 'Bob', {}, { headers })
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, 'true'])
    expect([again.json.entity, again.json.merged]).toEqual([first.json.entity, first.json.merged])
    const undone = await unmerge('Robert', { headers: { 'idempotency-key': 'undo' } })
    const undoneAgain = await unmerge('Robert', { headers: { 'idempotency-key': 'undo' } })
    expect([undoneAgain.status, undoneAgain.json.entity, undoneAgain.json.from]).toEqual([200, undone.json.entity, undone.json.from])
    const audit = await here.owner(
      `select a.action, count(*)::text as n from twofold.audit_log a join twofold.tenants t on t.id = a.tenant_id
        where t.uuid = $1 and a.action like 'entities.%merge' group by 1 order by 1`,
      [tenant.id],
    )
    expect(audit).toEqual([
      { action: 'entities.merge', n: '2' },
      { action: 'entities.unmerge', n: '2' },
    ])
  })

  test('are rebuilt from Postgres as they are', async () => {
    await merge('Robert', 'Bob')
    await tenant.post('/api/persistence/sync', { operation: 'rebuild', userId: 'alice' })
    expect(await around('Robert')).toEqual(whole)
    await agree()
  })
})

describe('a merger is refused', () => {
  test('of what is not there, is the same, is merged already, or belongs to another subject', async () => {
    await know('Anna', ['Anna'])
    await know('Bert', ['Bert'])
    await know('Carl', ['Carl'])
    await tenant.add({ content: 'Anna too', entities: [person('Dora')], extractEntities: false, namespace: 'user:bob' })
    const [anna, bert] = [await idOf('Anna'), await idOf('Bert')]
    const post = async (id: string, into: unknown) => (await tenant.post(`/v1/graph/entities/${id}/merge`, { into })).json
    expect((await post(anna, randomUUID())).code).toBe('not_found')
    expect((await post(randomUUID(), anna)).code).toBe('not_found')
    expect((await post(anna, anna)).errors[0].path).toBe('into')
    expect((await post(anna, await idOf('Dora'))).errors[0].path).toBe('into')
    expect((await post(anna, 'x')).errors[0].path).toBe('into')
    expect((await post('x', anna)).errors[0].path).toBe('id')
    expect((await unmerge('Anna')).json.code).toBe('conflict')
    expect((await merge('Anna', 'Bert')).status).toBe(200)
    expect((await post(anna, await idOf('Carl'))).code).toBe('conflict')
    expect((await post(bert, anna)).errors[0].path).toBe('into')
  })

  test('to a key that may not write the graph, or does not cover the subject as a whole', async () => {
    await know('Anna and Bert', ['Anna', 'Bert'], { namespace: 'user:alice:work' })
    for (const [scopes, grants] of [
      [['graph:read'], ['*']],
      [['graph:write'], ['user:alice:work']],
    ] as const) {
      const key = await tenant.keyFor([...scopes], [...grants])
      expect((await merge('Anna', 'Bert', {}, { key })).json.code).toBe('forbidden')
    }
    const stranger = await tenant.keyFor(['graph:write'], ['user:bob'])
    expect((await merge('Anna', 'Bert', {}, { key: stranger })).json.code).toBe('not_found')
    expect(await values()).toEqual(['Anna', 'Bert'])
  })
})
