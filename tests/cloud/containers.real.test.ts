import { randomUUID } from 'node:crypto'
import { eventOf, filesOfOperations, recordOf } from '@twofold/functions/calls.fixture.ts'
import type { Tenant } from '@twofold/functions/fixture.ts'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { LambdaFunction } from './runtime/function.ts'
import { type Stage, stage } from './runtime/stage.ts'

/** What becomes of containers: they are frozen, they end in the middle, and they serve one tenant after the other. */

const operations = await filesOfOperations()

let on: Stage
beforeAll(async () => {
  on = await stage()
})
afterEach(() => {
  on.here.provider.fail(null)
  on.database.decide = undefined
})
afterAll(() => on.close())

const open = (name: string, settings?: Parameters<Stage['open']>[1]) => on.open(operations.get(name)!.file, settings)

/** What an operation's function answers a tenant. */
async function ask(its: LambdaFunction, name: string, tenant: Tenant, call: Parameters<typeof eventOf>[1], headers: object = {}) {
  const event = eventOf(operations.get(name)!.operation, { key: tenant.key, ...call })
  const { statusCode, body } = await its.invoke({ ...event, headers: { ...event.headers, ...headers } })
  return { status: statusCode as number, json: JSON.parse(body) }
}

const contents = async (tenant: Tenant) => (await tenant.get('/v1/memories')).json.items.map((each: any) => each.content).sort()

test('a configuration that cannot be used ends the init, which says what is wrong with it, and no request meets it', async () => {
  const its = await open('memories.get', { variables: { DATABASE_URL: 'nonsense', RETRY_ATTEMPTS: '0' } })
  const tenant = await on.here.tenant()
  const failed = await ask(its, 'memories.get', tenant, { parameters: { id: randomUUID() } }).catch((error) => error)
  expect(failed).toMatchObject({ name: 'FunctionError', type: 'Runtime.ExitError' })
  for (const named of ['DATABASE_URL', 'RETRY_ATTEMPTS']) expect(failed.message).toContain(named)
  expect(its.containers).toEqual([])
})

test('what is frozen between two events goes on with the second as if there had been no time between', async () => {
  const its = await open('memories.add')
  const tenant = await on.here.tenant()
  for (let i = 0; i < 5; i++)
    expect((await ask(its, 'memories.add', tenant, { body: { userId: 'a', content: `met ${i}` } })).status).toBe(201)
  expect(its.containers).toHaveLength(1)
  expect(await contents(tenant)).toEqual([0, 1, 2, 3, 4].map((i) => `met ${i}`))
})

test('connections that its stores closed while it was frozen cost nobody an answer', async () => {
  const its = await open('memories.add')
  const tenant = await on.here.tenant()
  for (let i = 0; i < 4; i++) {
    expect((await ask(its, 'memories.add', tenant, { body: { userId: 'a', content: `met ${i}` } })).status).toBe(201)
    await on.database.shut()
    await on.database.open()
  }
  expect([await contents(tenant), its.containers.length]).toEqual([[0, 1, 2, 3].map((i) => `met ${i}`), 1])
})

test('two events at once find two containers', async () => {
  const its = await open('memories.add')
  const tenant = await on.here.tenant()
  const answers = await Promise.all(['one', 'two'].map((content) => ask(its, 'memories.add', tenant, { body: { userId: 'a', content } })))
  expect([answers.map(({ status }) => status), its.containers.length]).toEqual([[201, 201], 2])
})

test('one container that serves two tenants in turn mixes nothing of them', async () => {
  const [anna, bert] = [await on.here.tenant(), await on.here.tenant()]
  const both = [anna, bert]
  const names = ['memories.add', 'memories.search', 'memories.get', 'memories.list', 'sessions.start', 'sessions.get'] as const
  const its = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await open(name)]))) as Record<
    (typeof names)[number],
    LambdaFunction
  >
  // The same ids, names and idempotency keys: only the key of the caller tells them apart.
  const body = { userId: 'alice', key: 'diary', sessionId: 'today' }
  const start = (tenant: Tenant) =>
    ask(its['sessions.start'], 'sessions.start', tenant, { body: { id: 'today', appName: tenant.id, userId: 'alice' } })
  for (const tenant of both) expect((await start(tenant)).status).toBe(201)
  const ids = new Map<Tenant, string>()
  for (const tenant of both) {
    const content = `The secret word is ${tenant === anna ? 'amber' : 'basalt'}.`
    const added = await ask(its['memories.add'], 'memories.add', tenant, { body: { ...body, content } }, { 'idempotency-key': 'one' })
    expect([added.status, added.json.memory.content]).toEqual([201, content])
    ids.set(tenant, added.json.memory.id)
  }
  for (let round = 0; round < 3; round++) {
    for (const [tenant, other] of [both, both.toReversed()] as [Tenant, Tenant][]) {
      const word = tenant === anna ? 'amber' : 'basalt'
      const found = await ask(its['memories.search'], 'memories.search', tenant, {
        body: { userId: 'alice', query: 'secret word', maxStalenessMs: 60_000 },
      })
      expect(found.json.results.map((each: any) => each.memory.content)).toEqual([`The secret word is ${word}.`])
      const listed = await ask(its['memories.list'], 'memories.list', tenant, { query: 'namespace=user%3Aalice&maxStalenessMs=60000' })
      expect(listed.json.items.map((each: any) => each.id)).toEqual([ids.get(tenant)])
      const others = { parameters: { id: ids.get(other) as string }, query: 'maxStalenessMs=60000' }
      expect((await ask(its['memories.get'], 'memories.get', tenant, others)).status).toBe(404)
      const session = await ask(its['sessions.get'], 'sessions.get', tenant, { parameters: { id: 'today' } })
      expect(session.json.session.appName).toBe(tenant.id)
    }
  }
  const written = Object.values(its)
    .map((each) => each.said())
    .join('')
  for (const word of ['amber', 'basalt']) expect(written).not.toContain(word)
  for (const each of Object.values(its)) expect(each.containers).toHaveLength(1)
})

test('a function whose time is over is ended; its caller may ask again with the same key, and a new container does it once', async () => {
  const its = await open('memories.add', { timeoutMs: 4_000 })
  const tenant = await on.here.tenant()
  const once = { 'idempotency-key': 'once' }
  const add = () => ask(its, 'memories.add', tenant, { body: { userId: 'a', content: 'met Dora' } }, once)
  on.here.provider.fail('hang')
  await expect(add()).rejects.toMatchObject({ type: 'Sandbox.Timedout' })
  on.here.provider.fail(null)
  expect(await add()).toMatchObject({ status: 201, json: { memory: { content: 'met Dora' } } })
  expect([await contents(tenant), its.containers.length]).toEqual([['met Dora'], 2])
})

test('an answer does not wait for a Postgres that hangs over the audit', async () => {
  const its = await open('memories.list', { timeoutMs: 10_000 })
  const tenant = await on.here.tenant()
  on.database.decide = ({ body }) => (body.includes('note_audit') ? 'hang' : 'pass')
  for (let i = 0; i < 2; i++) expect((await ask(its, 'memories.list', tenant, {})).status).toBe(200)
  expect(its.containers).toHaveLength(1)
})

test('a process that dies after its write was taken and before it answered has written once', async () => {
  const its = await open('memories.add')
  const tenant = await on.here.tenant()
  const add = () => ask(its, 'memories.add', tenant, { body: { userId: 'a', content: 'met Emil' } }, { 'idempotency-key': 'once' })
  on.database.decide = ({ body }) => {
    if (!/insert into memories/.test(body)) return 'pass'
    void its.containers.at(-1)?.kill()
    return 'cut after'
  }
  await expect(add()).rejects.toMatchObject({ type: 'Runtime.ExitError' })
  on.database.decide = undefined
  expect(await add()).toMatchObject({ status: 201, json: { memory: { content: 'met Emil' } } })
  expect(await contents(tenant)).toEqual(['met Emil'])
})

test('a graph writer that dies at any step of a batch costs another delivery, and both stores agree', async () => {
  const tenant = await on.here.tenant()
  const its = await on.open('queues/graph-writes.ts')
  let crashes = 0
  for (let step = 1, done = false; !done; step++) {
    const { json } = await tenant.post('/v1/memories/batch', {
      items: [1, 2, 3].map((n) => ({ userId: 'alice', content: `Step ${step}: Ada met Person${n}.` })),
    })
    const Records = json.items.map(({ memory }: any, i: number) =>
      recordOf('graph-writes', `${step}-${i}`, JSON.stringify({ tenant: tenant.id, ids: [memory.id] })),
    )
    let n = 0
    on.database.decide = () => {
      if (++n !== step) return 'pass'
      void its.containers.at(-1)?.kill()
      return 'cut after'
    }
    const first = await its.invoke({ Records }).catch((error) => error)
    on.database.decide = undefined
    done = n < step
    if (done) expect(first).toEqual({ batchItemFailures: [] })
    else {
      crashes++
      expect(first).toMatchObject({ type: 'Runtime.ExitError' })
      // What the dead had asked for last is done without it, and takes its leases only now.
      await on.database.settled()
      // The queue hands the batch out again after six times the function's time, when the lease of the dead has long ended.
      await on.here.owner(`update twofold.ledger set leased_until = now() - interval '1 second' where leased_until is not null`)
      // On a busy machine a statement may take too long, which is told to the queue as well.
      await expect.poll(() => its.invoke({ Records }), { timeout: 60_000 }).toEqual({ batchItemFailures: [] })
    }
  }
  expect(crashes).toBeGreaterThanOrEqual(2)
  const { json } = await tenant.post('/api/persistence/sync', { operation: 'check', deep: true })
  expect(json).toMatchObject({ status: 'success', result: { inconsistencies: [], owed: 0 } })
})
