import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { raw } from '@twofold/core/sql.ts'
import { Line } from '@twofold/graph/neo4j/line.fixture.ts'
import neo4j from 'neo4j-driver-lite'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { eventually } from '../../client.ts'
import { ownerOf } from '../../process.ts'
import { random, vectorOf } from '../../random.ts'
import { Crowd, expectAgreement } from './crowd.ts'
import { DIMENSIONS, type Scene, type Store, scene } from './stores.ts'

vi.setConfig({ testTimeout: 480_000, hookTimeout: 180_000 })

const OPERATIONS = 10_000
/** On a machine that does not come so far, so long. */
const LONGEST_MS = 75_000
/** So few that every one that is not given back would be missed. */
const POOL = 4

let it: Scene
let store: Store
let between: Line
beforeAll(async () => {
  it = await scene('postgres', 'neo4j')
  store = it.stores.neo4j as Store
  between = await Line.to(store.running.url)
  await it.serve({ NEO4J_URI: between.uri, NEO4J_POOL_MIN: '2', NEO4J_POOL_MAX: String(POOL) })
})
afterAll(async () => {
  await it.close()
  await between.shut()
})

/** The moments differ from run to run; a seed that found something goes here. */
const seed = randomInt(2 ** 31)
const next = random(seed)

test('after ten thousand mixed operations under random failures nothing is open, in use or owed, and both stores are equal', async () => {
  console.log(`storm.real.test.ts: seed ${seed}`)
  const crowd = new Crowd(6, seed)
  const until = performance.now() + LONGEST_MS
  let [done, stopping] = [0, false]
  const going = () => !stopping && crowd.acknowledged + done < OPERATIONS && performance.now() < until

  const batches = async (who: number) => {
    for (let n = 0; going(); n++) {
      const items = Array.from({ length: 50 }, (_, i) => {
        const content = `batch ${who} ${n} item ${i}`
        const entities = [{ type: 'person', value: `Person${Math.floor(next() * 200)}` }]
        return { userId: `batches${who}`, content, embedding: vectorOf(content, DIMENSIONS), entities, extractEntities: false }
      })
      const { json } = await it.asks.post('/v1/memories/batch', { items })
      expect(json.items.filter(({ ok }: any) => !ok)).toEqual([])
      done += items.length
    }
  }
  const reads = async (who: number) => {
    for (; going(); done += 2) {
      const query = `Person${Math.floor(next() * 200)}`
      const userId = `batches${who}`
      const found = await it.asks.post('/v1/memories/search', {
        userId,
        query,
        embedding: vectorOf(query, DIMENSIONS),
        expand: { hops: 2 },
      })
      expect(found.status).toBe(200)
      const asked = await it.asks.post('/v1/graph/query', { start: { value: query }, hops: 2, namespacePrefix: `user:${userId}` })
      expect([200, 404, 503]).toContain(asked.status)
    }
  }
  const faults = async () => {
    for (let n = 1; going(); n++) {
      await sleep(300 + next() * 1_700)
      const dice = next()
      if (n % 12 === 0) {
        await store.kill()
        await sleep(next() * 1_000)
        await store.start()
      } else if (dice < 0.6) between.cut()
      else if (dice < 0.8) {
        between.silence()
        await sleep(next() * 1_500)
        between.cut()
      } else {
        store.running.pause()
        await sleep(next() * 1_500)
        store.running.resume()
      }
    }
  }
  crowd.go(it.asks)
  try {
    await Promise.all([batches(0), batches(1), reads(0), reads(1), faults()])
  } finally {
    stopping = true
    await crowd.rest()
  }
  console.log(`storm.real.test.ts: ${crowd.acknowledged + done} operations`)
  await expectAgreement(it, crowd)
  await expectNothingOpen()
})

async function expectNothingOpen(): Promise<void> {
  const sessions = async () => {
    const { text } = await it.asks.get('/metrics')
    const total = (what: string) => Number(new RegExp(`^twofold_graph_total\\{what="${what}"\\} (\\d+)`, 'm').exec(text)?.[1])
    return { opened: total('session'), closed: total('closed') }
  }
  const seen = await eventually(sessions, ({ opened, closed }) => opened === closed)
  expect(seen.opened).toBeGreaterThan(100)
  expect(seen.closed).toBe(seen.opened)

  const { TEST_NEO4J_USERNAME: username = '', TEST_NEO4J_PASSWORD: password = '' } = store.running.variables
  const driver = neo4j.driver(store.running.url, neo4j.auth.basic(username, password))
  const shown = async (query: string) => (await driver.executeQuery(query, {}, { database: 'neo4j' })).records.length
  const inUse = await eventually(
    () => shown('show transactions yield connectionId, currentQuery where not currentQuery starts with "show transactions" return *'),
    (n) => n === 0,
  )
  const connections = await shown('call dbms.listConnections() yield userAgent where userAgent = "twofold" return userAgent')
  await driver.close()
  expect(inUse).toBe(0)
  expect(connections).toBeLessThanOrEqual(POOL)

  const owner = await ownerOf(it.home)
  const busy = async () => {
    const [rows] = await owner([
      raw(`select count(*)::int as n from pg_stat_activity
        where backend_type = 'client backend' and state <> 'idle' and pid <> pg_backend_pid() and now() - xact_start > interval '1 second'`),
    ])
    return rows?.[0]?.n
  }
  expect(await eventually(busy, (n) => n === 0)).toBe(0)
}
