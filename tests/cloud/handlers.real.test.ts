import { CALLS, eventOf, filesOfOperations, recordOf, SCHEDULED, type Scene, sceneOf } from '@twofold/functions/calls.fixture.ts'
import { schedules } from '@twofold/functions/schedules/schedules.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Stage, stage } from './runtime/stage.ts'

/** Every bundle that is deployed, under AWS's own runtime client: that it loads, and answers what AWS sends it. */

const operations = await filesOfOperations()

let on: Stage
let scene: Scene
beforeAll(async () => {
  on = await stage()
  scene = await sceneOf(on.here)
})
afterAll(() => on.close())

test.each(Object.keys(CALLS))('%s', async (name) => {
  const { file, operation } = operations.get(name)!
  const call = { key: scene.tenant.key, ...CALLS[name]!(scene) }
  const its = await on.open(file)
  const { statusCode, body, headers, isBase64Encoded } = await its.invoke(eventOf(operation, call))
  expect([statusCode, isBase64Encoded, headers['x-request-id']]).toEqual([call.status ?? 200, false, 'lambda-00001'])
  if (typeof call.answers === 'string') expect(body).toContain(call.answers)
  else expect(JSON.parse(body)).toMatchObject(call.answers)
  const refused = await its.invoke(eventOf(operation, { ...call, key: 'tf_unknown' }))
  if (!operation.public) expect(refused.statusCode).toBe(operation.scope === 'operator' ? 403 : 401)
  // Its second event found it as the first had left it, and neither crashed it.
  expect([its.containers.length, its.containers[0]?.gone]).toEqual([1, null])
  await its.close()
})

test('mcp', async () => {
  const its = await on.open('mcp.ts')
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'get_memory', arguments: { id: scene.id } } }
  const event = eventOf({ method: 'post', path: '/mcp' }, { key: scene.tenant.key, body: message, query: 'namespace=user%3Aalice' })
  const accept = { accept: 'application/json, text/event-stream' }
  const { statusCode, body } = await its.invoke({ ...event, headers: { ...event.headers, ...accept } })
  expect([statusCode, JSON.parse(body)]).toMatchObject([200, { result: { structuredContent: { memory: { id: scene.id } } } }])
})

describe('what no caller asks for', () => {
  test('graph writes, a batch with a message that cannot be read', async () => {
    const memory = await scene.tenant.add({ content: 'met Bert' })
    const its = await on.open('queues/graph-writes.ts')
    const nudge = JSON.stringify({ tenant: scene.tenant.id, ids: [memory.id] })
    const Records = [recordOf('graph-writes', 'good', nudge), recordOf('graph-writes', 'bad', 'no json')]
    expect(await its.invoke({ Records })).toEqual({ batchItemFailures: [{ itemIdentifier: 'bad' }] })
    expect((await scene.tenant.get(`/v1/memories/${memory.id}`)).json.receipt.stores.graph.state).toBe('written')
  })

  test('events of other services', async () => {
    const its = await on.open('queues/ingest.ts')
    const data = { userId: 'alice', content: 'By event', extractEntities: false }
    const event = { specversion: '1.0', id: '1', source: '/crm', type: 'twofold.memories.remember', tenant: scene.tenant.id, data }
    const Records = [recordOf('ingest', 'good', JSON.stringify(event)), recordOf('ingest', 'bad', 'no json')]
    expect(await its.invoke({ Records })).toEqual({ batchItemFailures: [{ itemIdentifier: 'bad' }] })
    expect((await scene.tenant.get('/v1/memories?createdBy=queue%3A%2Fcrm')).json.items).toMatchObject([{ content: 'By event' }])
  })

  test.each(schedules.map(({ declared }) => declared.name))('the schedule %s', async (name) => {
    on.here.provider.fail('server-error')
    const { id } = await scene.tenant.add({ content: `met Carl for ${name}` })
    on.here.provider.fail(null)
    const its = await on.open(`schedules/${name}.ts`)
    expect(await its.invoke(SCHEDULED)).not.toHaveProperty('skipped')
    const paid = { relay: 'graph', reembed: 'embedding' }[name]
    if (paid) expect((await scene.tenant.get(`/v1/memories/${id}`)).json.receipt.owed).not.toContain(paid)
  })
})
