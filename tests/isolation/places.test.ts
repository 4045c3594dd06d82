import { randomUUID } from 'node:crypto'
import { migratedDatabase, type World, world } from '@twofold/functions/fixture.ts'
import { deadLetters } from '@twofold/functions/queues/dead-letters.ts'
import { graphWrites } from '@twofold/functions/queues/graph-writes.ts'
import { ingest } from '@twofold/functions/queues/ingest.ts'
import { relay } from '@twofold/functions/schedules/relay.ts'
import type { TestDatabase } from '@twofold/local/sql/fixture.ts'
import { hashKey } from '@twofold/operation/read-caller.ts'
import type { SQSRecord } from 'aws-lambda'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/** Tenants over two databases, each with a graph of its own. */

const OPERATOR = 'operator-key-of-the-test'
let away: TestDatabase
let service: World
beforeAll(async () => {
  away = await migratedDatabase()
  const places = { away: { DATABASE_URL: away.url, DATABASE_HTTP_URL: away.fetchEndpoint } }
  service = await world({ TWOFOLD_OPERATOR_KEY: OPERATOR, NEO4J_URI: '', PLACES: JSON.stringify(places) })
})
afterAll(async () => {
  await service.close()
  await away.close()
})

const operate = (method: string, path: string, body?: unknown) => service.request(method, path, body, { key: OPERATOR })
const make = async (placement?: string, name = `of ${randomUUID()}`) => {
  const { status, json } = await operate('POST', '/v1/tenants', { name, ...(placement && { placement }) })
  expect([status, json.tenant?.placement]).toEqual([201, placement ?? 'home'])
  return { id: json.tenant.id as string, name, key: json.secret as string }
}
const ask = (key: string, method: string, path: string, body?: unknown) => service.request(method, path, body, { key })
const add = async (key: string, content: string, more: object = {}) => {
  const { status, json, text } = await ask(key, 'POST', '/v1/memories', { userId: 'alice', content, extractEntities: false, ...more })
  if (status !== 201) throw new Error(text)
  return json
}
const contents = async (key: string) =>
  (await ask(key, 'GET', '/v1/memories?userId=alice')).json.items.map((memory: { content: string }) => memory.content)

const MEMORIES =
  'select m.content from twofold.memories m join twofold.tenants t on t.id = m.tenant_id where t.uuid = $1::uuid order by m.id'
const SHOWN = `select count(*)::int as shown from twofold.ledger l join twofold.tenants t on t.id = l.tenant_id
  where t.uuid = $1::uuid and l.kind = 'memory' and l.revision = l.shown`
const heldBy = async (database: Pick<TestDatabase, 'sql'> | 'home', tenant: string) =>
  (database === 'home' ? await service.owner(MEMORIES, [tenant]) : await database.sql(MEMORIES, [tenant])).map(({ content }) => content)
const shownBy = async (database: TestDatabase, tenant: string) => Number((await database.sql(SHOWN, [tenant]))[0]?.shown)

describe('a tenant that is made elsewhere', () => {
  test('has everything there and nothing at home, and its keys say where', async () => {
    const { id, key } = await make('away')
    expect(key).toMatch(/^tf_away\./)
    const { receipt } = await add(key, 'far away', { waitFor: 'graph' })
    expect(receipt).toMatchObject({ vectorWriteSuccess: true, graphWriteSuccess: true })
    expect([await heldBy('home', id), await heldBy(away, id), await shownBy(away, id)]).toEqual([[], ['far away'], 1])
    const made = await ask(key, 'POST', '/v1/keys', { name: 'reader', scopes: ['memories:read'], namespaces: ['user:alice'] })
    expect(made.json.secret).toMatch(/^tf_away\./)
    expect(await contents(made.json.secret)).toEqual(['far away'])
    const found = await ask(made.json.secret, 'POST', '/v1/memories/search', { userId: 'alice', query: 'far away' })
    expect(found.json.results.map(({ memory }: any) => memory.content)).toEqual(['far away'])
    await ask(key, 'DELETE', `/v1/keys/${made.json.key.id}`)
    expect((await ask(made.json.secret, 'GET', '/v1/memories')).json.code).toBe('unauthenticated')
  })

  test('is listed at home, and suspended where it lives', async () => {
    const { id, name, key } = await make('away')
    const listed = (await operate('GET', '/v1/tenants?limit=500')).json.items.find((tenant: { id: string }) => tenant.id === id)
    expect(listed).toMatchObject({ name, placement: 'away', suspendedAt: null })
    expect((await operate('PATCH', `/v1/tenants/${id}`, { suspended: true })).json.tenant.suspendedAt).toEqual(expect.any(String))
    expect((await ask(key, 'GET', '/v1/memories')).json.code).toBe('forbidden')
    await operate('PATCH', `/v1/tenants/${id}`, { suspended: false })
    expect((await ask(key, 'GET', '/v1/memories')).status).toBe(200)
  })

  test('has a name that nobody else has, and a place that there is', async () => {
    const { name } = await make('away')
    for (const placement of ['away', 'home']) expect((await operate('POST', '/v1/tenants', { name, placement })).json.code).toBe('conflict')
    const { json } = await operate('POST', '/v1/tenants', { name: randomUUID(), placement: 'nowhere' })
    expect(json.errors).toEqual([{ path: 'placement', message: 'must be one of home, away' }])
  })

  test('is made by asking again when the first time broke off between home and there', async () => {
    const [id, name] = [randomUUID(), randomUUID()]
    await service.owner("select * from twofold.place_tenant($1::uuid, $2, 'away', now())", [id, name])
    const made = await make('away', name)
    expect(made.id).toBe(id)
    await add(made.key, 'at last')
    expect(await heldBy(away, id)).toEqual(['at last'])
  })
})

test.each(['tf_away.nobody', 'tf_nowhere.nobody', 'tf_home.nobody'])('%s opens nothing', async (key) => {
  expect((await ask(key, 'GET', '/v1/memories')).json.code).toBe('unauthenticated')
})

describe('what carries no key', () => {
  const deps = () => service.deps

  test('finds the tenant where it lives: graph writes, events of other services, schedules', async () => {
    const { id, name, key } = await make('away')
    const { memory } = await add(key, 'by the queue')
    const message = { messageId: 'm', body: JSON.stringify({ tenant: id, ids: [memory.id] }) } as SQSRecord
    expect(await graphWrites(deps())({ Records: [message] })).toEqual({ batchItemFailures: [] })
    expect(await shownBy(away, id)).toBe(1)

    const data = { userId: 'alice', content: 'by an event', extractEntities: false }
    const event = { specversion: '1.0', id: randomUUID(), source: '/crm', type: 'twofold.memories.remember', tenant: name, data }
    const record = { messageId: 'e', body: JSON.stringify(event), attributes: { SentTimestamp: '1' } } as SQSRecord
    const nowhere = deadLetters({ url: 'http://127.0.0.1:9/q', credentials: { accessKeyId: '', secretAccessKey: '' }, region: 'none' })
    expect(await ingest(deps(), nowhere)({ Records: [record] })).toEqual({ batchItemFailures: [] })
    expect([await heldBy('home', id), await heldBy(away, id)]).toEqual([[], ['by the queue', 'by an event']])

    await relay(deps())()
    expect(await shownBy(away, id)).toBe(2)
  })
})

test('a tenant that moved is followed by the keys that it had; what was left behind is neither read nor written', async () => {
  const { id, name, key } = await make()
  await add(key, 'before')
  await away.sql("insert into twofold.tenants (uuid, name, placement, created_at) values ($1::uuid, $2, 'away', now())", [id, name])
  await away.sql(
    `insert into twofold.api_keys (tenant_id, id, name, hash, scopes, namespaces, created_at)
    select t.id, $2::uuid, 'moved', $3::bytea, '{admin}', '{*}', now() from twofold.tenants t where t.uuid = $1::uuid`,
    [id, randomUUID(), `\\x${hashKey(key).toString('hex')}`],
  )
  await service.owner("update twofold.tenants set placement = 'away' where uuid = $1::uuid", [id])
  await add(key, 'after', { waitFor: 'graph' })
  await relay(service.deps)()
  expect([await heldBy('home', id), await heldBy(away, id), await contents(key)]).toEqual([['before'], ['after'], ['after']])
  const [left] = await service.owner(SHOWN, [id])
  expect(Number(left?.shown)).toBe(0)
})
