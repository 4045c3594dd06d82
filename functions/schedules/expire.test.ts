import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Tenant, type World, world } from '../fixture.ts'
import { expire } from './expire.ts'

let here: World
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())

test('one round takes away all whose time has come, slice by slice, and the entities that only they mentioned', async () => {
  const tenant = await here.tenant()
  const expiresAt = new Date(here.deps.now().getTime() + 60_000).toISOString()
  const items = Array.from({ length: 250 }, (_, i) => ({ userId: 'alice', content: `fact ${i}`, extractEntities: false, expiresAt }))
  expect((await tenant.post('/v1/memories/batch', { items })).status).toBe(200)
  await tenant.add({ content: 'met Anna', expiresAt })
  const stays = await tenant.add({ content: 'met Bert' })
  const entities = async () => (await tenant.get('/v1/graph/entities?subject=user:alice')).json.items.map((one: any) => one.value)
  expect(await expire(here.deps)()).toEqual({})
  here.pass(60_000)
  expect(await expire(here.deps)()).toEqual({ expired: { tenants: 1, failed: 0 } })
  const [deleted] = await here.owner(
    `select count(*) as n from twofold.memories m join twofold.tenants t on t.id = m.tenant_id where t.uuid = '${tenant.id}' and m.deleted_at is not null`,
  )
  expect(Number(deleted?.n)).toBe(251)
  expect((await tenant.get('/v1/memories?userId=alice')).json.items.map((one: any) => one.id)).toEqual([stays.id])
  await expire(here.deps)()
  expect(await entities()).toEqual(['Bert'])
})

test('one round takes away turns that have expired, and conversations of which none is left, of every tenant', async () => {
  const [mine, theirs] = [await here.tenant(), await here.tenant()]
  const say = (tenant: Tenant, id: string, more: object = {}) =>
    tenant.post(`/v1/conversations/${id}/turns`, { query: 'q', answer: 'a', ...more })
  const left = async () =>
    (
      await here.owner(`select c.name, count(u.id) as turns from twofold.conversations c
        left join twofold.turns u on u.tenant_id = c.tenant_id and u.conversation_id = c.id group by c.tenant_id, c.name order by 1`)
    ).map(({ name, turns }) => `${name}: ${turns}`)
  await Promise.all(Array.from({ length: 20 }, () => say(mine, 'short', { ttlHours: 1 })))
  await say(mine, 'mixed', { ttlHours: 1 })
  await say(mine, 'mixed')
  await say(theirs, 'theirs', { ttlHours: 1 })
  here.pass(3600_000)
  await say(mine, 'just come', { timestamp: '2000-01-01T00:00:00Z' })
  expect(await expire(here.deps)()).toEqual({ turns: { tenants: 2, failed: 0 } })
  expect(await left()).toEqual(['just come: 1', 'mixed: 1'])
  here.pass(60_000)
  await expire(here.deps)()
  expect(await left()).toEqual(['mixed: 1'])
  const [audited] = await here.owner(
    `select count(*) as n from twofold.audit_log where action = 'conversations.expire' and actor = 'system'`,
  )
  expect(Number(audited?.n)).toBe(3)
})

test('more turns than go at once go slice by slice', async () => {
  const tenant = await here.tenant()
  await tenant.post('/v1/conversations/long/turns', { query: 'q', answer: 'a', ttlHours: 1 })
  await here.owner(
    `insert into twofold.turns (tenant_id, id, conversation_id, actor, query, answer, at, created_at, expires_at)
     select u.tenant_id, gen_random_uuid(), u.conversation_id, 'maker', 'q', 'a', u.at, u.created_at, u.expires_at
     from twofold.turns u join twofold.tenants t on t.id = u.tenant_id, generate_series(1, 2500) where t.uuid = $1`,
    [tenant.id],
  )
  here.pass(3600_000)
  expect(await expire(here.deps)()).toMatchObject({ turns: { failed: 0 } })
  const [left] = await here.owner(
    `select count(*) as n from twofold.turns u join twofold.tenants t on t.id = u.tenant_id where t.uuid = $1`,
    [tenant.id],
  )
  expect(Number(left?.n)).toBe(0)
})
