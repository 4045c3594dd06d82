import { sql } from '@twofold/core/sql.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Tenant, type World, world } from '../fixture.ts'
import { purge } from './purge.ts'

let here: World
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(() => here.owner('truncate twofold.idempotency_keys'))

const DAY = 24 * 3600_000

/** As many requests, answered a day and an hour ago. */
const answered = (tenant: Tenant, count: number) =>
  here.deps.db.asTenant(tenant.id, [
    sql`insert into idempotency_keys (tenant_id, key_id, key, part, operation, request_hash, targets, created_at)
      select current_tenant(), 'k', i::text, 0, 'memories.add', '\\x00', '[]', ${new Date(here.deps.now().getTime() - DAY - 3600_000).toISOString()}::timestamptz
      from generate_series(1, ${count}::int) i`,
  ])
const left = async () => Number((await here.owner('select count(*) as n from twofold.idempotency_keys'))[0]?.n)

test('one round goes on until nothing of more than a day is left, however many requests and tenants there are', async () => {
  await answered(await here.tenant(), 2500)
  for (let i = 0; i < 120; i++) await answered(await here.tenant(), 1)
  const tenant = await here.tenant()
  await tenant.post('/v1/memories', { userId: 'alice', content: 'today' }, { headers: { 'idempotency-key': 'today' } })
  expect(await left()).toBe(2621)
  expect(await purge(here.deps)()).toEqual({ requests: { tenants: 121, failed: 0 } })
  expect(await left()).toBe(1)
})

test('when its time is over it stops, and the next round goes on', async () => {
  for (let i = 0; i < 70; i++) await answered(await here.tenant(), 1)
  const start = here.deps.now().getTime()
  let asked = 0
  // The clock is read a few times before the first slice is done; then the time is over.
  const now = () => new Date(start + (asked++ > 3 ? 60_000 : 0))
  expect(await purge({ ...here.deps, now })()).toEqual({ requests: { tenants: 50, failed: 0 } })
  expect(await left()).toBe(20)
  here.pass(60_000)
  expect(await purge(here.deps)()).toEqual({ requests: { tenants: 20, failed: 0 } })
})

test('told to stop it ends after what is under way', async () => {
  for (let i = 0; i < 70; i++) await answered(await here.tenant(), 1)
  const stop = new AbortController()
  const { across } = here.deps.db
  const db = {
    ...here.deps.db,
    asTenant: (async (...given) => {
      stop.abort()
      return here.deps.db.asTenant(...given)
    }) as typeof here.deps.db.asTenant,
    across,
  }
  expect(await purge({ ...here.deps, db })(stop.signal)).toEqual({ requests: { tenants: 50, failed: 0 } })
  expect(await left()).toBe(20)
})
