import { squash } from '@twofold/core/memories/squash.ts'
import type { Deps } from '@twofold/core/ports.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sweep, type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const HOUR = 3600_000
const DAY = 24 * HOUR
const KEY = '/v1/namespaces/user%3Aalice/keys/city'
const set = async (value: unknown, url = KEY) => (await tenant.call('PUT', url, { value })).json.memory
const setPolicy = (namespace: string, body: object) => tenant.call('PUT', `/v1/namespaces/${encodeURIComponent(namespace)}/policy`, body)
const history = async (url = KEY) => (await tenant.get(`${url}/history?limit=500`)).json.items
const versions = async (url = KEY): Promise<number[]> => (await history(url)).map((item: { version: number }) => item.version)
/** A version each of these hours after the first, which is as many days ago as the last says. */
const write = async (hours: readonly number[], url = KEY) => {
  const made = []
  for (const [i, hour] of hours.entries()) {
    here.pass((hour - (hours[i - 1] ?? 0)) * HOUR)
    made.push(await set(`city ${i + 1}`, url))
  }
  return made
}

describe('of the versions of a memory', () => {
  test('the last so many are kept, with the current one, and nothing of the last day goes', async () => {
    await setPolicy('user:alice', { keepVersions: 3 })
    await write([0, 1, 2, 3, 4, 5])
    await sweep(here.deps)
    expect(await versions()).toEqual([6, 5, 4, 3, 2, 1])
    here.pass(2 * DAY)
    await sweep(here.deps)
    expect(await versions()).toEqual([6, 5, 4])
    here.pass(DAY)
    await set('city 7')
    here.pass(2 * DAY)
    await sweep(here.deps)
    expect(await versions()).toEqual([7, 6, 5])
  })

  test('the last of each day is kept beyond so many days', async () => {
    // From midnight on, so that days are days.
    here.pass(DAY - (here.deps.now().getTime() % DAY))
    await write([1, 5, 9, 25, 49, 60, 30 * 24, 30 * 24 + 1])
    await setPolicy('user', { dailyVersionsAfterDays: 10 })
    await sweep(here.deps)
    expect(await versions()).toEqual([8, 7, 6, 4, 3])
  })

  test('with both rules one goes that neither keeps', async () => {
    here.pass(DAY - (here.deps.now().getTime() % DAY))
    await write([1, 2, 3, 4, 5, 6])
    await setPolicy('user:alice', { keepVersions: 2, dailyVersionsAfterDays: 5 })
    here.pass(4 * DAY)
    await sweep(here.deps)
    expect(await versions()).toEqual([6, 5, 4, 3, 2, 1])
    here.pass(2 * DAY)
    await sweep(here.deps)
    expect(await versions()).toEqual([6, 5])
  })

  test('those of other namespaces stay, and below the nearest policy decides', async () => {
    const urls = ['user%3Aalice', 'user%3Aalice%3Awork', 'user%3Aalicex', 'user%3Aalice%3Awork%3Ax'].map(
      (namespace) => `/v1/namespaces/${namespace}/keys/k`,
    )
    for (const url of urls) await write([0, 0, 0], url)
    await setPolicy('user:alice', { keepVersions: 1 })
    await setPolicy('user:alice:work', {})
    await setPolicy('user:alice:work:x', { keepVersions: 2 })
    here.pass(2 * DAY)
    await sweep(here.deps)
    expect(await Promise.all(urls.map(versions))).toEqual([[3], [3, 2, 1], [3, 2, 1], [3, 2]])
  })

  test('as many as one step does not do go in the next ones', async () => {
    const urls = Array.from({ length: 5 }, (_, i) => `/v1/namespaces/user%3Aalice%3A${i}/keys/k`)
    for (const url of urls) await write([0, 0, 0, 0, 0], url)
    await setPolicy('user:alice', { keepVersions: 1 })
    here.pass(2 * DAY)
    let steps = 0
    for (; await squash(here.deps, tenant.id, { memories: 2, versions: 3 }); steps++) expect(steps).toBeLessThan(50)
    expect(steps).toBeGreaterThan(5)
    expect(await Promise.all(urls.map(versions))).toEqual(urls.map(() => [5]))
    // What was squashed is audited, once a step and memory.
    const rows = await here.owner(
      `select distinct target from twofold.audit_log where action = 'memories.squash' and tenant_id = (select id from twofold.tenants where uuid = $1)`,
      [tenant.id],
    )
    expect(rows).toHaveLength(5)
  })

  test('none goes by a policy that was set anew while whoever squashes stood still', async () => {
    await write([0, 1, 2, 3])
    await setPolicy('user:alice', { keepVersions: 1 })
    here.pass(2 * DAY)
    let asked = 0
    const asTenant: Deps['db']['asTenant'] = async (...list) => {
      if (++asked === 2) await setPolicy('user:alice', { keepVersions: 3 })
      return here.deps.db.asTenant(...list)
    }
    expect(await squash({ ...here.deps, db: { ...here.deps.db, asTenant } }, tenant.id)).toBe(true)
    expect(await versions()).toEqual([4, 3, 2, 1])
    await sweep(here.deps)
    expect(await versions()).toEqual([4, 3, 2])
  })
})

describe('what was squashed', () => {
  beforeEach(async () => {
    await tenant.del(`${KEY}?hard=true`)
  })

  test('is said: by version, by moment, in the history and where versions are compared', async () => {
    const made = await write([0, 10, 20, 30, 40])
    here.pass(2 * DAY)
    await setPolicy('user:alice', { keepVersions: 2 })
    await sweep(here.deps)
    const { id } = made[0]
    expect((await history()).map((item: any) => [item.version, item.squashed])).toEqual([
      [5, 0],
      [4, 3],
    ])
    for (const url of [`${KEY}?version=3`, `/v1/memories/${id}?version=3`]) {
      const { status, json } = await tenant.get(url)
      expect([status, json.code, json.detail]).toEqual([410, 'gone', 'Version 3 was squashed, as the policy of the namespace says.'])
    }
    expect((await tenant.get(`${KEY}?version=6`)).status).toBe(404)
    expect((await tenant.get(`/v1/memories/${id}/diff?from=3&to=5`)).json).toMatchObject({
      code: 'gone',
      detail: expect.stringMatching(/^Version 3 /),
    })
    expect((await tenant.get(`/v1/memories/${id}/diff?from=5&to=6`)).status).toBe(404)
    expect((await tenant.get(`/v1/memories/${id}/diff?from=4&to=5`)).status).toBe(200)
    expect((await tenant.post(`/v1/memories/${id}/restore`, { version: 3 })).json.code).toBe('gone')
    expect((await tenant.post(`/v1/memories/${id}/restore`, { version: 6 })).json.code).toBe('not_found')
    expect((await tenant.post(`/v1/memories/${id}/restore`, { version: 4 })).json.memory.value).toBe('city 4')
  })

  test('is not passed off as what came before it: at a moment at which it was current there is no answer', async () => {
    here.pass(DAY - (here.deps.now().getTime() % DAY))
    const made = await write([1, 2, 25, 26, 27, 50])
    await setPolicy('user:alice', { dailyVersionsAfterDays: 1 })
    here.pass(3 * DAY)
    await sweep(here.deps)
    expect(await versions()).toEqual([6, 5, 2])
    const { id } = made[0]
    const asOf = async (time: string) => {
      const one = await tenant.get(`/v1/memories/${id}?asOf=${time}`)
      const listed = (await tenant.get(`/v1/memories?userId=alice&asOf=${time}`)).json.items.map((m: any) => m.version)
      const { results } = (await tenant.post('/v1/memories/search', { userId: 'alice', query: 'city', asOf: time })).json
      expect(results.map((r: any) => r.memory.version)).toEqual(listed)
      return [one.status, ...listed]
    }
    const times = made.map((memory) => memory.updatedAt as string)
    expect(await Promise.all(times.map(asOf))).toEqual([[410], [200, 2], [410], [410], [200, 5], [200, 6]])
    const before = new Date(Date.parse(times[0] as string) - 1).toISOString()
    expect(await asOf(before)).toEqual([404])
    const late = new Date(Date.parse(times[2] as string) - 1).toISOString()
    expect(await asOf(late)).toEqual([200, 2])
  })

  test('leaves a deleted memory what restore brings back', async () => {
    await write([0, 1, 2])
    await tenant.del(KEY)
    await setPolicy('user:alice', { keepVersions: 1 })
    here.pass(2 * DAY)
    await sweep(here.deps)
    expect(await versions()).toEqual([4, 3])
    expect((await set('city 4')).version).toBe(5)
    await tenant.del(KEY)
    const [{ memory }] = await history()
    expect((await tenant.post(`/v1/memories/${memory.id}/restore`)).json.memory.value).toBe('city 4')
  })

  test('leaves versions of the same text their vector, for searches as of then, and takes those that nobody needs', async () => {
    const vectors = () =>
      here.owner(
        `select 'now' as of, version from twofold.embeddings where tenant_id = (select id from twofold.tenants where uuid = $1)
         union all select 'past', version from twofold.past_embeddings where tenant_id = (select id from twofold.tenants where uuid = $1) order by 1, 2`,
        [tenant.id],
      )
    const memory = await tenant.add({ content: 'green tea' })
    const change = async (body: object) => (await tenant.patch(`/v1/memories/${memory.id}`, body)).json.memory
    for (const body of [{ importance: 1 }, { content: 'black tea' }, { content: 'white tea' }, { importance: 2 }]) await change(body)
    const white = await change({ importance: 3 })
    await change({ content: 'coffee' })
    await change({ importance: 4 })
    expect((await vectors()).map((v) => `${v.of} ${v.version}`)).toEqual(['now 7', 'past 1', 'past 3', 'past 4'])
    here.pass(2 * DAY)
    await setPolicy('user:alice', { keepVersions: 3 })
    await sweep(here.deps)
    expect((await vectors()).map((v) => `${v.of} ${v.version}`)).toEqual(['now 7', 'past 6'])
    const { results } = (
      await tenant.post('/v1/memories/search', { userId: 'alice', query: 'white tea', mode: 'vector', asOf: white.updatedAt })
    ).json
    expect(results.map((r: any) => [r.memory.version, r.parts.vector > 0.99])).toEqual([[6, true]])
    await tenant.del(`/v1/namespaces/user%3Aalice/policy`)
    await setPolicy('user:alice', { keepVersions: 1 })
    await sweep(here.deps)
    expect((await vectors()).map((v) => `${v.of} ${v.version}`)).toEqual(['now 8'])
    expect(await tenant.found({ query: 'coffee', mode: 'vector', threshold: 0.99 })).toEqual([memory.id])
  })

  test('leaves search, both stores and a hard deletion as they were', async () => {
    await write([0, 1, 2])
    await setPolicy('user:alice', { keepVersions: 1 })
    here.pass(2 * DAY)
    for (let i = 0; i < 3; i++) await sweep(here.deps)
    const [{ memory }] = await history()
    expect(await tenant.found({ query: 'city' })).toEqual([memory.id])
    expect((await tenant.get('/api/persistence/status')).json.metrics).toMatchObject({ syncPercentage: 100, owedGraphWrites: 0 })
    expect((await tenant.del(`${KEY}?hard=true`)).status).toBe(200)
    const left = await here.owner(
      `select 1 from twofold.memory_versions where tenant_id = (select id from twofold.tenants where uuid = $1)
       union all select 1 from twofold.past_embeddings where tenant_id = (select id from twofold.tenants where uuid = $1)`,
      [tenant.id],
    )
    expect(left).toEqual([])
  })
})
