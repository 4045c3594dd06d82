import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { compose } from '@twofold/functions/deps.ts'
import { readEnv } from '@twofold/functions/env.ts'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Answer, all, type Client, caughtUp, client, eventually } from '../client.ts'
import { bothSides, type Scene } from '../faults/real/stores.ts'
import { joinOf, KEY, type Process, start, troubles } from '../process.ts'
import { random, vectorOf } from '../random.ts'
import { openParts, type Parts } from './parts.ts'

/** Three services, each as a user starts it, on one Postgres, one Redis, one Neo4j and one queue. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const PROCESSES = 3
const WRITERS = 9
const TURNS = 20

let parts: Parts
let homes: string[]
let processes: Process[]
let asks: Client[]
let tenant: string
beforeAll(async () => {
  parts = await openParts()
  homes = await Promise.all(Array.from({ length: PROCESSES }, () => parts.home()))
  const models = {
    EMBEDDING_MODEL: 'openai:none',
    EMBEDDING_DIMENSIONS: '64',
    OPENAI_BASE_URL: 'http://127.0.0.1:9',
    OPENAI_API_KEY: 'none',
  }
  const variables = { ...models, ...parts.postgres, ...parts.redis, ...parts.neo4j, ...parts.queue, LOG_LEVEL: 'silent' }
  // All at once, on a database where nothing is yet.
  processes = await Promise.all(homes.map((home) => start(home, variables)))
  asks = processes.map(({ url }) => client(url, KEY))
  tenant = (await parts.owner('select uuid from twofold.tenants'))[0].uuid
})
afterAll(async () => {
  const ended = await Promise.all((processes ?? []).map((each) => each.end('SIGTERM')))
  await parts.close()
  expect(ended.map((each) => [each.code, troubles(each)])).toEqual(ended.map(() => [0, []]))
})

/** What one writer knows of its memories, from what was acknowledged. */
type Known = Map<string, { version: number; content: string } | 'gone'>

const PEOPLE = ['Anna', 'Bert', 'Clara', 'Dora', 'Emil', 'Fritz']
let acknowledged = 0

/** Asks this process; what others are busy with, or what two of the same at once refuse, is asked again with the same key. */
async function send(at: Client, method: string, path: string, body: object | undefined, key: string): Promise<Answer> {
  for (;;) {
    const answer = await at.call(method, path, body, { headers: { 'idempotency-key': key } })
    if (answer.status < 300) return answer
    if (answer.json.code !== 'in_progress') throw new Error(`${method} ${path}: ${answer.text}`)
    await sleep(20)
  }
}

async function writes(writer: number, known: Known): Promise<void> {
  const next = random(writer)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T
  const draft = (what: string) => {
    const entities = [pick(PEOPLE), pick(PEOPLE)].map((value) => ({ type: 'person', value }))
    return { content: what, embedding: vectorOf(what, 64), entities, extractEntities: false }
  }
  const add = (turn: string) => ({ userId: `user${writer % 4}`, ...draft(`writer ${writer} adds ${turn}`) })
  const learn = ({ json: { memory } }: Answer) => known.set(memory.id, { version: memory.version, content: memory.content })
  for (let turn = 0; turn < TURNS; turn++) {
    const key = randomUUID()
    const [id, mine] = pick([...known].filter(([, value]) => value !== 'gone')) ?? []
    const dice = next()
    if (mine === undefined || dice < 0.35) learn(await send(pick(asks), 'POST', '/v1/memories', add(`${turn}`), key))
    else if (dice < 0.5) {
      // The same request to all of them at once.
      const body = add(`${turn} everywhere`)
      const answers = await Promise.all(asks.map((at) => send(at, 'POST', '/v1/memories', body, key)))
      expect(new Set(answers.map(({ json }) => json.memory.id)).size).toBe(1)
      learn(answers[0] as Answer)
    } else if (dice < 0.8) {
      const body = draft(`writer ${writer} changes ${turn}`)
      learn(await send(pick(asks), 'PATCH', `/v1/memories/${id}`, body, key))
    } else if (dice < 0.9) {
      await send(pick(asks), 'DELETE', `/v1/memories/${id}?hard=${next() < 0.5}`, undefined, key)
      known.set(id as string, 'gone')
    } else {
      const items = Array.from({ length: 10 }, (_, i) => add(`${turn} in a batch ${i}`))
      const { json } = await send(pick(asks), 'POST', '/v1/memories/batch', { items }, key)
      for (const item of json.items) {
        if (!item.ok) throw new Error(JSON.stringify(item.error))
        known.set(item.memory.id, { version: item.memory.version, content: item.memory.content })
      }
      acknowledged += items.length - 1
    }
    acknowledged++
  }
}

/** Graph transactions that all of them have begun. */
async function transactions(): Promise<number> {
  const texts = await Promise.all(asks.map(async (at) => (await at.get('/metrics')).text))
  return texts.reduce((sum, text) => sum + Number(/^twofold_graph_total\{what="transaction"\} (\d+)$/m.exec(text)?.[1] ?? 0), 0)
}

test('what three processes acknowledge at once is kept once, read alike by all of them, and shown by the graph to the last edge', async () => {
  const before = await transactions()
  const holders = new Set<string>()
  const done = new AbortController()
  const watching = (async () => {
    while (!done.signal.aborted) {
      const leases = await parts.owner('select name, holder from schedules.leases where leased_until > now() order by name')
      expect(new Set(leases.map(({ name }) => name)).size).toBe(leases.length)
      for (const { holder } of leases) holders.add(holder.split(':').at(-2))
      await sleep(20)
    }
  })()
  const knowns = Array.from({ length: WRITERS }, (): Known => new Map())
  await Promise.all(knowns.map((known, writer) => writes(writer, known)))
  done.abort()
  await watching

  // Nothing lost, nothing twice, and one truth for all.
  const known = new Map(knowns.flatMap((each) => [...each]))
  const live = [...known].flatMap(([id, value]) => (value === 'gone' ? [] : [`${id} ${value.version} ${value.content}`])).sort()
  for (const at of asks)
    expect((await all(at, '/v1/memories')).map(({ id, version, content }) => `${id} ${version} ${content}`).sort()).toEqual(live)
  const gone = [...known].filter(([, value]) => value === 'gone').map(([id]) => id)
  expect(gone.length).toBeGreaterThan(0)
  for (const [i, id] of gone.entries()) expect((await (asks[i % PROCESSES] as Client).get(`/v1/memories/${id}`)).status).toBe(404)

  // The graph: nothing is done for each write that one for several would do, and nothing is missing or too much.
  const owed = async () => (await parts.owner('select count(*)::int as n from twofold.ledger where revision <> shown'))[0].n
  expect(await eventually(owed, (n) => n === 0)).toBe(0)
  const spent = (await transactions()) - before
  expect(spent).toBeGreaterThan(0)
  expect(spent).toBeLessThan(acknowledged / 2)
  const { metrics, status } = await eventually(
    () => caughtUp(asks[0] as Client),
    (seen) => seen.status === 'healthy',
  )
  expect([status, metrics]).toMatchObject([
    'healthy',
    { totalMemories: live.length, vectorStoreCount: live.length, graphStoreCount: live.length, owedGraphWrites: 0, deadLetters: 0 },
  ])
  const inside: Scene['inside'] = async (work) => {
    const composed = await compose(readEnv({ ...(await joinOf(homes[0] as string)), OPENAI_API_KEY: 'none', LOG_LEVEL: 'silent' }))
    try {
      return await work(composed.deps)
    } finally {
      await composed.close()
    }
  }
  const { postgres, graph } = await bothSides({ inside, tenant: async () => tenant } as Scene)
  expect(postgres.length).toBeGreaterThan(live.length)
  expect(graph).toEqual(postgres)

  // Whoever held a schedule is one of them.
  expect([...holders].filter((pid) => !processes.some((each) => String(each.pid) === pid))).toEqual([])
  expect(holders.size).toBeGreaterThan(0)
})

test('when the one that holds the schedules ends, another takes them over and what is owed still comes into the graph', async () => {
  const holder = async () => {
    const [lease] = await parts.owner(`select holder from schedules.leases where name = 'relay'`)
    return lease.holder.split(':').at(-2) as string
  }
  const first = await eventually(holder, (pid) => processes.some((each) => String(each.pid) === pid))
  const index = processes.findIndex(({ pid }) => String(pid) === first)
  const [leaving] = processes.splice(index, 1)
  asks.splice(index, 1)
  homes.splice(index, 1)
  expect((await (leaving as Process).end('SIGTERM')).code).toBe(0)
  const second = await eventually(holder, (pid) => processes.some((each) => String(each.pid) === pid))
  expect(processes.map(({ pid }) => String(pid))).toContain(second)
  const { json } = await (asks[0] as Client).post('/v1/memories', {
    userId: 'user0',
    content: 'after it left',
    embedding: vectorOf('after it left', 64),
    extractEntities: false,
  })
  const state = async () => (await (asks[1] as Client).get(`/v1/memories/${json.memory.id}`)).json.receipt.stores.graph.state
  expect(await eventually(state, (now) => now === 'written')).toBe('written')
})
