import { raw } from '@twofold/core/sql.ts'
import { sqs } from '@twofold/functions/queues/sqs.ts'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { caughtUp, eventually } from '../../client.ts'
import { ownerOf } from '../../process.ts'
import { type Scene, type Store, scene } from './stores.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let it: Scene
let queue: Store
beforeAll(async () => {
  it = await scene('postgres', 'sqs')
  queue = it.stores.sqs as Store
  await makeQueue()
  await it.serve({ GRAPH_QUEUE_URL: address() })
})
afterAll(() => it.close())

const address = () => `${queue.running.url}/000000000000/graph-writes`
/** This server keeps its queues in memory, so that one which comes back has none. */
const makeQueue = () =>
  sqs({ url: address(), credentials: { accessKeyId: 'test', secretAccessKey: 'test' }, region: 'us-east-1' })(
    'CreateQueue',
    { QueueName: 'graph-writes' },
    AbortSignal.timeout(10_000),
  )

const add = async (content: string) => {
  const answer = await it.asks.post('/v1/memories', { userId: 'alice', content, extractEntities: false })
  expect([answer.status, answer.json.receipt.owed]).toEqual([201, ['graph']])
  return answer.json.memory.id as string
}
const shown = (id: string) =>
  eventually(
    async () => (await it.asks.get(`/v1/memories/${id}`)).json.receipt.stores.graph.state,
    (state) => state === 'written',
  )
/** For an hour another process seems to sweep, or nobody any more: then this one does. */
const sweepElsewhere = async (elsewhere: boolean) => {
  const owner = await ownerOf(it.home)
  const until = elsewhere ? "now() + interval '1 hour'" : 'now()'
  await owner([raw(`update schedules.leases set holder = 'elsewhere', leased_until = ${until}, due_at = now() where name = 'relay'`)])
}

test('while the queue is gone every write is taken and the sweep brings it into the graph; messages flow again once it is back', async () => {
  await sweepElsewhere(true)
  expect(await shown(await add('by a message'))).toBe('written')
  await sweepElsewhere(false)

  await queue.kill()
  const ids = [await add('with no queue'), ...(await Promise.all([1, 2, 3, 4].map((n) => add(`with no queue ${n}`))))]
  for (const id of ids) expect(await shown(id)).toBe('written')
  await queue.start()
  expect(await shown(await add('with a server that knows no queue'))).toBe('written')

  await makeQueue()
  await sweepElsewhere(true)
  expect(await shown(await add('by a message again'))).toBe('written')
  await sweepElsewhere(false)
  expect((await caughtUp(it.asks)).metrics).toMatchObject({ owedGraphWrites: 0, deadLetters: 0, totalMemories: 8, graphStoreCount: 8 })
})
