import { globSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Call, eventOf } from '@twofold/functions/calls.fixture.ts'
import { type Tenant, type World, world } from '@twofold/functions/fixture.ts'
import { listen } from '@twofold/local/http/listen.ts'
import { redisEndpoint } from '@twofold/local/redis/endpoint.ts'
import { memoryStore } from '@twofold/local/redis/memory.ts'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'

/** Containers that have served one tenant and serve the next: what the handlers of AWS answer when tenants take turns in them. */

const root = fileURLToPath(new URL('../../functions/', import.meta.url))
const isOperation = (value: unknown): value is AnyOperation<never> =>
  typeof value === 'object' && value !== null && 'path' in value && 'handle' in value

interface Served {
  operation: AnyOperation<never>
  handler(event: unknown): Promise<{ statusCode: number; body: string }>
}

/** By the name of the operation. Each handler is a container of its own, the same for every tenant. */
async function containers(): Promise<Map<string, Served>> {
  const files = globSync('*/*.ts', { cwd: root, exclude: ['**/*.test.ts'] })
  const modules: Record<string, any>[] = await Promise.all(files.map((file) => import(join(root, file))))
  return new Map(
    modules.flatMap((module): [string, Served][] => {
      const operation = Object.values(module).find(isOperation)
      return operation && module.handler ? [[operation.name, { operation, handler: module.handler }]] : []
    }),
  )
}

let here: World
let redis: Awaited<ReturnType<typeof listen>>
let served: Map<string, Served>
const before = { ...process.env }
beforeAll(async () => {
  const store = memoryStore({ maxBytes: 100_000_000, now: Date.now })
  redis = await listen({ redis: redisEndpoint({ store, token: 'test' }) }, { log: console.error })
  here = await world({ UPSTASH_REDIS_REST_URL: `${redis.url}/redis`, UPSTASH_REDIS_REST_TOKEN: 'test' })
  Object.assign(process.env, here.variables)
  served = await containers()
})
afterAll(async () => {
  for (const name of Object.keys(here.variables)) delete process.env[name]
  Object.assign(process.env, before)
  await here.close()
  await redis.close()
})

/** Of a tenant: what it has learnt on its way. The word is its own and stands in all that it says. */
interface Person {
  tenant: Tenant
  word: string
  id: string
  asked: number
}

type Step = [operation: string, call: (person: Person) => Omit<Call, 'answers'>]

const alice = { userId: 'alice' }
const office = { namespace: 'user:alice', key: 'office' }

/** One and the same for everybody, by the same names, ids and Idempotency-Keys. */
const DAY: readonly Step[] = [
  ['memories.add', ({ word }) => ({ body: { ...alice, content: `${word}: met Anna`, waitFor: 'graph' } })],
  ['memories.search', () => ({ body: { ...alice, query: 'met Anna', maxStalenessMs: 60_000 } })],
  ['namespaces.put_key', ({ word }) => ({ parameters: office, body: { value: { word } } })],
  ['namespaces.get_key', () => ({ parameters: office })],
  ['sessions.start', () => ({ body: { ...alice, id: 'today', appName: 'x' } })],
  ['sessions.append_event', ({ word }) => ({ parameters: { id: 'today' }, body: { event: { word } } })],
  ['sessions.events', () => ({ parameters: { id: 'today' } })],
  ['conversations.add_turn', ({ word }) => ({ parameters: { id: 'chat' }, body: { ...alice, query: 'q', answer: word } })],
  ['conversations.context', () => ({ parameters: { id: 'chat' } })],
  ['documents.put', ({ word }) => ({ body: { ...alice, filePath: 'a.md', title: word, content: `# ${word}` } })],
  ['documents.list', () => ({ query: 'userId=alice' })],
  ['memories.context', () => ({ body: { ...alice, query: 'met Anna', maxStalenessMs: 60_000 } })],
  ['graph.entities', () => ({ query: 'q=anna' })],
  ['graph.query', () => ({ body: { start: { value: 'Anna' } } })],
  ['memories.update', ({ id, word }) => ({ parameters: { id }, body: { content: `${word}: met Anna and Bert`, waitFor: 'graph' } })],
  ['memories.search', () => ({ body: { ...alice, query: 'met Anna', maxStalenessMs: 60_000 } })],
  ['memories.get', ({ id }) => ({ parameters: { id } })],
  ['memories.delete', ({ id }) => ({ parameters: { id }, query: 'hard=true' })],
  ['memories.search', () => ({ body: { ...alice, query: 'met Anna', maxStalenessMs: 60_000 } })],
  ['namespaces.list', () => ({})],
  ['audit.list', () => ({ query: 'limit=100' })],
]

const person = async (word: string): Promise<Person> => ({ tenant: await here.tenant(), word, id: '', asked: 0 })

/** Takes a person's next step, in the container that everybody is served by. */
async function step(who: Person): Promise<string> {
  const [name, call] = DAY[who.asked++] as Step
  const { operation, handler } = served.get(name) as Served
  const event = eventOf(operation, { key: who.tenant.key, ...call(who) })
  const number = String(who.asked).padStart(4, '0')
  const headers = {
    ...event.headers,
    'x-request-id': `${who.word}-${number}`,
    ...(operation.write && { 'idempotency-key': `day-${number}` }),
  }
  const { statusCode, body } = await handler({ ...event, headers })
  expect(statusCode, `${name}: ${body}`).toBeLessThan(300)
  if (name === 'memories.add') who.id = JSON.parse(body).memory.id
  return body
}

async function wholeDay(who: Person): Promise<string[]> {
  const answers: string[] = []
  while (who.asked < DAY.length) answers.push(await step(who))
  return answers
}

/** What may differ between two who do the same: ids, times, what follows from these, and the word. */
const BY_TIME = new Set(['score', 'parts', 'tokens', 'bytes', 'graphLagMs'])

function comparable(answers: readonly string[], { word }: Person): unknown[] {
  const ids = new Map<string, string>()
  const idOf = (id: string) => ids.get(id) ?? ids.set(id, `id ${ids.size + 1}`).get(id)
  const plain = (text: string) =>
    text
      .replaceAll(word, 'WORD')
      .replaceAll(/\b[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b/g, (id) => idOf(id) as string)
      .replaceAll(/\b[\da-f]{64}\b/g, 'hash')
      .replaceAll(/\b\d{4}-\d\d-\d\d(T[\d:.]+Z)?/g, 'time')
      // Rows of the audit are numbered through all tenants.
      .replaceAll(/"id":"\d+"/g, '"id":"number"')
  return answers.map((body) => JSON.parse(plain(body), (name, value) => (BY_TIME.has(name) ? null : value)))
}

let alone: unknown[]
beforeAll(async () => {
  const one = await person('cranberry')
  alone = comparable(await wholeDay(one), one)
})

test('two tenants who take turns in one container are each answered as if alone', async () => {
  const [one, other] = [await person('apricot'), await person('blueberry')]
  const answers: [string[], string[]] = [[], []]
  while (one.asked < DAY.length) {
    answers[0].push(await step(one))
    answers[1].push(await step(other))
  }
  expect(comparable(answers[0], one)).toEqual(alone)
  expect(comparable(answers[1], other)).toEqual(alone)
  expect(answers[0].join()).not.toMatch(/blueberry|cranberry/)
  expect(answers[1].join()).not.toMatch(/apricot|cranberry/)
})

test('tenants who ask at the same moment are as well', async () => {
  const people = await Promise.all(['damson', 'elderberry', 'figs'].map(person))
  const days = await Promise.all(people.map(wholeDay))
  for (const [i, who] of people.entries()) {
    expect(comparable(days[i] as string[], who)).toEqual(alone)
    const others = people.filter((each) => each !== who).map(({ word }) => word)
    for (const word of others) expect((days[i] as string[]).join()).not.toContain(word)
  }
})

test('what one tenant may and is refused says nothing of the next, and a key is refused as soon as it is revoked', async () => {
  const [one, other] = [await here.tenant(), await here.tenant()]
  const { operation, handler } = served.get('memories.list') as Served
  const ask = async (key: string, namespace: string) =>
    (await handler(eventOf(operation, { key, query: `namespace=${encodeURIComponent(namespace)}` }))).statusCode
  const narrow = await one.keyFor(['memories:read'], ['user:alice'])
  expect(await ask(other.key, 'user:bob')).toBe(200)
  expect(await ask(narrow, 'user:bob')).toBe(403)
  expect(await ask(narrow, 'user:alice')).toBe(200)
  const [{ id }] = (await one.get('/v1/keys')).json.items.filter(
    ({ namespaces }: { namespaces: string[] }) => namespaces[0] === 'user:alice',
  )
  await one.del(`/v1/keys/${id}`)
  expect(await ask(narrow, 'user:alice')).toBe(401)
  expect(await ask(other.key, 'user:alice')).toBe(200)
})

test('an event that cannot be read leaves nothing behind for the one after it', async () => {
  const [one, other] = [await person('grape'), await person('hazelnut')]
  const { operation, handler } = served.get('memories.add') as Served
  const event = eventOf(operation, { key: one.tenant.key, body: { ...alice, content: one.word } })
  expect((await handler({ ...event, body: '{', isBase64Encoded: false })).statusCode).toBe(400)
  expect(JSON.parse(await step(other)).memory.content).toBe('hazelnut: met Anna')
  expect((await one.tenant.get('/v1/memories')).json.items).toEqual([])
})
