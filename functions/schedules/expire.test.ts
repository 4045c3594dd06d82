import { afterAll, beforeAll, expect, test } from 'vitest'
import { type World, world } from '../fixture.ts'
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
