import type { AnyOperation } from '@twofold/operation/operation.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CALLS, type Call, eventOf, OPERATOR, operationOf, readModules, recordOf, SCHEDULED, type Scene, sceneOf } from './calls.fixture.ts'
import { type Tenant, type World, world } from './fixture.ts'
import { operations } from './operations.ts'
import { schedules } from './schedules/schedules.ts'

/** What AWS would start: every file of an operation, of a queue and of a schedule, by its `handler`. */

const modules = await readModules()

let here: World
let scene: Scene
let tenant: Tenant
const before = { ...process.env }
beforeAll(async () => {
  here = await world({ TWOFOLD_OPERATOR_KEY: OPERATOR, INGEST_QUEUE_URL: 'http://127.0.0.1:9/ingest' })
  Object.assign(process.env, here.variables)
  scene = await sceneOf(here)
  tenant = scene.tenant
})
afterAll(async () => {
  for (const name of Object.keys(here.variables)) delete process.env[name]
  Object.assign(process.env, before)
  await here.close()
})

describe('every operation', () => {
  test('stands in a file of its own that exports its handler, and every such file is in the table', () => {
    const declared = [...modules].flatMap(([file, exported]) => {
      const operation = operationOf(exported)
      return operation ? [{ file, operation, handler: typeof exported.handler }] : []
    })
    expect(declared.filter(({ handler }) => handler !== 'function')).toEqual([])
    expect(declared.map(({ operation }) => operation.name).sort()).toEqual(operations.map(({ name }) => name).sort())
    expect(Object.keys(CALLS).sort()).toEqual(operations.map(({ name }) => name).sort())
  })

  test.each(Object.keys(CALLS))('%s answers a real event of API Gateway', async (name) => {
    const exported = [...modules.values()].find((each) => operationOf(each)?.name === name) as { handler: (event: unknown) => Promise<any> }
    const operation = operationOf(exported) as AnyOperation<never>
    const call = { key: tenant.key, ...(CALLS[name] as (scene: Scene) => Call)(scene) }
    const { statusCode, body, headers, isBase64Encoded } = await exported.handler(eventOf(operation, call))
    expect([statusCode, isBase64Encoded, headers['x-request-id']]).toEqual([call.status ?? 200, false, 'lambda-00001'])
    if (typeof call.answers === 'string') expect(body).toContain(call.answers)
    else expect(JSON.parse(body)).toMatchObject(call.answers)
    if (operation.public) return
    const refused = await exported.handler(eventOf(operation, { ...call, key: 'tf_unknown' }))
    expect([operation.scope === 'operator' ? 403 : 401, 'application/problem+json']).toEqual([
      refused.statusCode,
      refused.headers['content-type'],
    ])
  })
})

describe('what no caller asks for', () => {
  const handlerOf = (file: string) => (modules.get(file) as { handler: (event: unknown) => Promise<any> }).handler

  test('every schedule stands in the table, and in a file of its name that exports its handler', () => {
    const declaring = [...modules.keys()].filter((file) => file.startsWith('schedules/') && 'handler' in (modules.get(file) ?? {}))
    expect(declaring).toEqual(schedules.map(({ declared }) => `schedules/${declared.name}.ts`).sort())
    for (const { declared, handler } of schedules) expect(handlerOf(`schedules/${declared.name}.ts`)).toBe(handler)
  })

  test('the graph writer takes a real batch of SQS and names the message it cannot read', async () => {
    const memory = await tenant.add({ content: 'met Bert' })
    const Records = [
      recordOf('graph-writes', 'good', JSON.stringify({ tenant: tenant.id, ids: [memory.id] })),
      recordOf('graph-writes', 'bad', 'no json'),
    ]
    expect(await handlerOf('queues/graph-writes.ts')({ Records })).toEqual({ batchItemFailures: [{ itemIdentifier: 'bad' }] })
    expect((await tenant.get(`/v1/memories/${memory.id}`)).json.receipt.stores.graph.state).toBe('written')
  })

  test('events of other services are taken from a real batch of SQS, and what cannot be read is left there when nobody takes it', async () => {
    const data = { userId: 'alice', content: 'By event', extractEntities: false }
    const event = { specversion: '1.0', id: '1', source: '/crm', type: 'twofold.memories.remember', tenant: tenant.id, data }
    const Records = [recordOf('ingest', 'good', JSON.stringify(event)), recordOf('ingest', 'bad', 'no json')]
    expect(await handlerOf('queues/ingest.ts')({ Records })).toEqual({ batchItemFailures: [{ itemIdentifier: 'bad' }] })
    expect((await tenant.get('/v1/memories?createdBy=queue%3A%2Fcrm')).json.items).toMatchObject([{ content: 'By event' }])
  })

  test.each(schedules.map(({ declared }) => declared.name))('%s does its round at a scheduled event', async (name) => {
    here.provider.fail('server-error')
    const { id } = await tenant.add({ content: 'met Carl' })
    here.provider.fail(null)
    expect(await handlerOf(`schedules/${name}.ts`)(SCHEDULED)).not.toHaveProperty('skipped')
    const paid = { relay: 'graph', reembed: 'embedding' }[name]
    if (paid) expect((await tenant.get(`/v1/memories/${id}`)).json.receipt.owed).not.toContain(paid)
  })
})
