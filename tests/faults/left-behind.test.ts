import { join } from 'node:path'
import { raw } from '@twofold/core/sql.ts'
import { openQueueTable } from '@twofold/local/queue/table.ts'
import { direct, type Sql } from '@twofold/local/sql/direct.ts'
import { openPglite } from '@twofold/local/sql/pglite.ts'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Client, caughtUp, client, eventually } from '../client.ts'
import { joinOf, KEY, makeHome, ownerOf, type Process, start } from '../process.ts'
import { proxy } from '../proxy.ts'
import { vectorOf } from '../random.ts'

/** Processes start here, which a busy machine takes its time for. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let home: Awaited<ReturnType<typeof makeHome>>
let service: Process
let asks: Client
beforeAll(async () => {
  home = await makeHome()
  await startAgain()
})
afterAll(async () => {
  await service.end('SIGTERM')
  await home.remove()
})

async function startAgain(): Promise<void> {
  service = await start(home.path)
  asks = client(service.url, KEY)
}

/** Looks into the store of a process that is dead. */
async function inTheStore<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
  const store = await openPglite({ folder: join(home.path, 'store'), log: console.error })
  try {
    return await work(direct(store))
  } finally {
    await store.close()
  }
}

const remembers = (content: string, more: object = {}) => ({
  userId: 'left',
  content,
  embedding: vectorOf(content),
  extractEntities: false,
  ...more,
})
const shownInGraph = async (id: string): Promise<boolean> => {
  const { json } = await asks.post('/v1/graph/query', { start: { memoryId: id }, hops: 1, namespacePrefix: 'user:left' })
  return json.nodes?.some((node: any) => node.id === id) ?? false
}

/** As if these memories had been written in the moment before the kill: in Postgres, owed to the graph. */
const oweAgain = async (sql: Sql): Promise<{ tenant: string; ids: string[] }> => {
  const rows = await sql(
    `select t.uuid as tenant, l.id from twofold.ledger l join twofold.tenants t on t.id = l.tenant_id where l.kind = 'memory' order by l.id`,
  )
  await sql('update twofold.ledger set shown = 0, lease = null, leased_until = null')
  await sql('delete from graph.nodes')
  await sql('delete from graph.edges')
  await sql('delete from queue.messages')
  return { tenant: rows[0]?.tenant as string, ids: rows.map((row) => row.id as string) }
}

test('a message left behind by kill -9 is delivered after the restart, and one that was lost is swept up without it', async () => {
  const ids = (
    await Promise.all([1, 2, 3].map(async (n) => (await asks.post('/v1/memories', remembers(`note ${n}`))).json.memory.id as string))
  ).sort()
  await service.end('SIGKILL')

  await inTheStore(async (sql) => {
    const owed = await oweAgain(sql)
    expect(owed.ids).toEqual(ids)
    await (await openQueueTable(sql)).send('graph-writes', [{ body: JSON.stringify({ tenant: owed.tenant, ids }) }])
    // Another process holds the relay for an hour: only the message can bring them into the graph.
    await sql(`update schedules.leases set leased_until = now() + interval '1 hour' where name = 'relay'`)
  })
  await startAgain()
  expect((await caughtUp(asks)).metrics).toMatchObject({ owedGraphWrites: 0, graphStoreCount: 3 })
  for (const id of ids) expect(await shownInGraph(id)).toBe(true)
  const owner = await ownerOf(home.path)
  const messages = async () => (await owner([raw('select count(*)::int as n from queue.messages')]))[0]?.[0]?.n
  expect(await eventually(messages, (n) => n === 0)).toBe(0)
  await service.end('SIGKILL')

  await inTheStore(async (sql) => {
    await oweAgain(sql)
    await sql(`update schedules.leases set leased_until = now(), due_at = now()`)
  })
  await startAgain()
  expect((await caughtUp(asks)).metrics).toMatchObject({ owedGraphWrites: 0, graphStoreCount: 3 })
})

/** A process that dies when its write is in Postgres and not yet in the graph. */
async function diesBetweenTheSteps(body: object, headers: Record<string, string>): Promise<void> {
  const variables = await joinOf(home.path)
  const between = await proxy(variables.DATABASE_HTTP_URL as string)
  const dying = await start(null, { ...variables, DATABASE_HTTP_URL: between.url })
  const stored = Promise.withResolvers<void>()
  between.decide = ({ body: sent }) => {
    if (!/update ledger l set lease/.test(sent)) return 'pass'
    stored.resolve()
    return 'hang'
  }
  const answer = client(dying.url, KEY)
    .post('/v1/memories', body, { headers })
    .then(
      ({ status }) => status,
      () => 'no answer',
    )
  await stored.promise
  await dying.end('SIGKILL')
  expect(await answer).toBe('no answer')
  await between.close()
}

const timePasses = async () => {
  const owner = await ownerOf(home.path)
  await owner([raw(`update twofold.memories set pending_until = now() where pending_until is not null`)])
}

async function expectInvisible(content: string): Promise<void> {
  const list = (await asks.get('/v1/memories?userId=left&includeDeleted=true')).json.items
  expect(list.map((memory: any) => memory.content)).not.toContain(content)
  for (const query of [{ query: content }, { embedding: vectorOf(content), mode: 'vector' }]) {
    const { results } = (await asks.post('/v1/memories/search', { userId: 'left', ...query })).json
    expect(results.map(({ memory }: any) => memory.content)).not.toContain(content)
  }
}

test('a write that its process left between the stores is nobody’s to see until the sweep has published it', async () => {
  const headers = { 'idempotency-key': 'left-between-1' }
  const body = remembers('published by the sweep', { key: 'published', waitFor: 'graph', onGraphFailure: 'rollback' })
  await diesBetweenTheSteps(body, headers)
  await expectInvisible(body.content)
  const again = await asks.post('/v1/memories', body, { headers })
  expect([again.status, again.json.code]).toEqual([409, 'in_progress'])
  const { metrics } = (await asks.get('/api/persistence/status')).json
  expect(metrics.totalMemories).toBe(3)

  await timePasses()
  const answer = await eventually(
    () => asks.post('/v1/memories', body, { headers }),
    ({ status }) => status !== 409,
  )
  expect([answer.status, answer.headers.get('idempotency-replayed')]).toEqual([201, 'true'])
  expect(answer.json.receipt.stores).toMatchObject({ vector: { state: 'written' }, graph: { state: 'written' } })
  expect((await asks.get('/v1/memories?userId=left&key=published')).json.items).toMatchObject([
    { id: answer.json.memory.id, content: body.content },
  ])
  expect(await shownInGraph(answer.json.memory.id)).toBe(true)
})

test('where the graph refuses it, it is as if it had never been, and its key and idempotency key are free again', async () => {
  const owner = await ownerOf(home.path)
  await owner([raw(`alter table graph.nodes add constraint refused check (properties->>'kind' is distinct from 'refused')`)])
  const headers = { 'idempotency-key': 'left-between-2' }
  const body = remembers('the graph refuses this one', {
    key: 'refused',
    kind: 'refused',
    waitFor: 'graph',
    onGraphFailure: 'rollback',
    entities: [{ type: 'person', value: 'Nobody Else' }],
  })
  await diesBetweenTheSteps(body, headers)
  await expectInvisible(body.content)
  await timePasses()
  const refused = await eventually(
    () => asks.post('/v1/memories', body, { headers }),
    ({ status }) => status !== 409,
  )
  // Decided anew, and refused in this request.
  expect([refused.status, refused.json.code, refused.headers.get('retry-after')]).toEqual([503, 'unavailable', '1'])
  await expectInvisible(body.content)
  await owner([raw('alter table graph.nodes drop constraint refused')])
  const taken = await asks.post(
    '/v1/memories',
    { ...body, content: 'now something else has the key', embedding: vectorOf('else') },
    { headers },
  )
  expect([taken.status, taken.headers.get('idempotency-replayed')]).toEqual([201, null])
  const rows = await eventually(
    () =>
      owner([
        raw(`select count(*)::int as n from twofold.memories where content like '%refuses%' or pending_until is not null`),
        raw("select count(*)::int as n from twofold.memory_versions where memory::text like '%refuses%'"),
        raw('select count(*)::int as n from twofold.collectable'),
      ]),
    (found) => found[2]?.[0]?.n === 0,
  )
  expect(rows.map(([row]) => row?.n)).toEqual([0, 0, 0])
  expect((await caughtUp(asks)).metrics).toMatchObject({ totalMemories: 5, graphStoreCount: 5, vectorStoreCount: 5, owedGraphWrites: 0 })
})
