import type { Head } from '@twofold/core/graph/port.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Tenant, type World, world } from '../fixture.ts'
import { measure } from './measure.ts'

let here: World
let mine: Tenant
let logged: Record<string, unknown>[]
// It measures every tenant there is, so each test has a database to itself.
beforeEach(async () => {
  logged = []
  const at =
    (level: string) =>
    (event: string, fields: object = {}) =>
      void logged.push({ level, event, ...fields })
  here = await world({}, { log: { info: at('info'), warn: at('warn'), error: at('error') } })
  mine = await here.tenant()
})
afterEach(() => here.close())

const remember = async (tenant: Tenant, count: number) => {
  const memories = []
  for (let i = 0; i < count; i++) memories.push(await tenant.add({ content: `fact ${i}`, extractEntities: false, waitFor: 'graph' }))
  return memories.map(({ id }) => id)
}
const lose = async (tenant: Tenant, id: string) => {
  const options = { generations: [1] }
  const [node] = await here.deps.graph.heads(tenant.id, { ids: [id] }, options)
  await here.deps.graph.prune(tenant.id, [{ node: node as Head }], options)
}
const gauges = async () => {
  const text = (await mine.get('/metrics')).text
  return Object.fromEntries(
    [...text.matchAll(/^twofold_((?:agreement|owed|oldest|parked|drift|database|measured)\w*) (\S+)$/gm)].map(([, name, value]) => [
      name,
      Number(value),
    ]),
  )
}

test('where everything agrees the gauges say so, and nobody is alarmed', async () => {
  expect(await gauges()).toEqual({})
  await remember(mine, 2)
  await here.tenant()
  const quiet = { owed: 0, parked: 0, oldestOwedMs: 0, drift: 0, bytes: expect.any(Number) }
  expect(await measure(here.deps)()).toEqual({ tenants: 2, lowest: 100, below90: 0, unknown: 0, ...quiet })
  expect(await gauges()).toEqual({
    ...{ agreement_min_percent: 100, agreement_below_90: 0, agreement_unknown: 0, owed: 0, oldest_owed_ms: 0, parked: 0, drift_open: 0 },
    ...{ database_bytes: expect.any(Number), measured_at_seconds: expect.any(Number) },
  })
  expect(logged.filter(({ level }) => level === 'error')).toEqual([])
})

test('a tenant below 90 percent is alarmed about, by a number and a line that name nobody', async () => {
  await remember(mine, 1)
  const other = await here.tenant()
  const ids = await remember(other, 10)
  await lose(other, ids[0] as string)
  expect(await measure(here.deps)()).toMatchObject({ lowest: 90, below90: 0 })
  await lose(other, ids[1] as string)
  expect(await measure(here.deps)()).toMatchObject({ tenants: 2, lowest: 80, below90: 1, unknown: 0 })
  expect(await gauges()).toMatchObject({ agreement_min_percent: 80, agreement_below_90: 1 })
  const alarm = { level: 'error', event: 'agreement.below_90', tenants: 1, lowest: 80 }
  expect(logged.filter(({ level }) => level === 'error')).toEqual([alarm])
  expect((await mine.get('/metrics')).text + JSON.stringify(logged)).not.toContain(other.id)
})

test('nobody is alarmed about what is on its way, but about what has been for a minute', async () => {
  here.provider.fail('server-error')
  await mine.add({ content: 'just written' })
  here.provider.fail(null)
  expect(await measure(here.deps)()).toMatchObject({ lowest: 100, below90: 0, owed: 1 })
  here.pass(61_000)
  expect(await measure(here.deps)()).toMatchObject({ lowest: 0, below90: 1, owed: 1 })
})

test('what is owed, parked and drifts is counted over all tenants', async () => {
  await remember(mine, 1)
  await mine.add({ content: 'on its way', extractEntities: false })
  const other = await here.tenant()
  const { id } = await other.add({ content: 'given up', extractEntities: false })
  await here.owner(`update twofold.ledger set parked_at = now() where id = '${id}'`)
  await other.post('/api/persistence/sync', { operation: 'check' })
  here.pass(5000)
  const measured = await measure(here.deps)()
  expect(measured).toMatchObject({ owed: 1, parked: 1, drift: 1 })
  const { oldest_owed_ms, ...counted } = await gauges()
  expect(counted).toMatchObject({ owed: 1, parked: 1, drift_open: 1 })
  expect(oldest_owed_ms).toBeGreaterThanOrEqual(5000)
})

test('while the graph is out of reach nothing is said of the agreement, and an older value is not left standing', async () => {
  await remember(mine, 1)
  await measure(here.deps)()
  await here.withGraph('down', async () =>
    expect(await measure(here.deps)()).toMatchObject({ tenants: 1, lowest: null, below90: 0, unknown: 1 }),
  )
  const now = await gauges()
  expect(now).toMatchObject({ agreement_below_90: 0, agreement_unknown: 1 })
  expect(now).not.toHaveProperty('agreement_min_percent')
})

test('whom there is no time for is counted as unknown', async () => {
  await remember(mine, 1)
  for (let i = 0; i < 5; i++) await here.tenant()
  let asked = 0
  // The clock goes on by half a minute whenever it is read, so that one slice of tenants takes the whole round.
  const start = here.deps.now().getTime()
  const now = () => new Date(start + 30_000 * asked++)
  expect(await measure({ ...here.deps, now })()).toMatchObject({ tenants: 6, unknown: expect.any(Number) })
  expect((await gauges()).agreement_unknown).toBeGreaterThan(0)
})

test('a deployment without a graph agrees with itself', async () => {
  const { settings } = here.deps
  await remember(mine, 1)
  expect(await measure({ ...here.deps, settings: { ...settings, graphEnabled: false } })()).toMatchObject({
    lowest: 100,
    unknown: 0,
    owed: 0,
  })
})
