import { globSync } from 'node:fs'
import { join } from 'node:path'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import type { APIGatewayProxyEventV2, ScheduledEvent, SQSEvent } from 'aws-lambda'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Tenant, type World, world } from './fixture.ts'
import { operations } from './operations.ts'
import { schedules } from './schedules/schedules.ts'

/** What AWS would start: every file of an operation, of a queue and of a schedule, by its `handler`. */

const OPERATOR = 'operator-key-of-the-test'
const files = globSync('*/*.ts', { cwd: import.meta.dirname }).filter((file) => !file.endsWith('.test.ts'))
const modules = new Map<string, Record<string, unknown>>(
  await Promise.all(files.map(async (file) => [file, await import(join(import.meta.dirname, file))] as const)),
)
const isOperation = (value: unknown): value is AnyOperation<never> =>
  typeof value === 'object' && value !== null && 'path' in value && 'handle' in value
const operationOf = (exported: Record<string, unknown>) => Object.values(exported).find(isOperation)

let here: World
let tenant: Tenant
let id: string
let keyId: string
let anna: string
let berta: string
let parked: string
let runId: string
let promised: string
let documentId: string
const before = { ...process.env }
beforeAll(async () => {
  here = await world({ TWOFOLD_OPERATOR_KEY: OPERATOR, INGEST_QUEUE_URL: 'http://127.0.0.1:9/ingest' })
  Object.assign(process.env, here.variables)
  tenant = await here.tenant()
  id = (await tenant.add({ content: 'met Anna', waitFor: 'graph' })).id
  await tenant.patch(`/v1/memories/${id}`, { importance: 1 })
  anna = (await tenant.get('/v1/graph/entities?q=anna')).json.items[0].id
  const named = [{ type: 'person', value: 'Berta', subject: 'user:alice' }]
  berta = (await tenant.post('/v1/graph/entities', { entities: named })).json.entities[0].id
  promised = (await tenant.post('/v1/commitments', { userId: 'alice', title: 'Call', owner: 'me' })).json.memory.id
  parked = (await tenant.add({ content: 'refused until now' })).id
  await here.owner(`update twofold.ledger set parked_at = now() where id = '${parked}'`)
  runId = (await tenant.post('/api/persistence/sync', { operation: 'check', userId: 'bob' })).json.runId
  const file = { userId: 'alice', filePath: 'a.md', title: 'A', content: 'Text.' }
  documentId = (await tenant.call('PUT', '/v1/documents', file)).json.document.id
  keyId = (await tenant.post('/v1/keys', { name: 'x', scopes: ['sync'], namespaces: ['*'] })).json.key.id
})
afterAll(async () => {
  for (const name of Object.keys(here.variables)) delete process.env[name]
  Object.assign(process.env, before)
  await here.close()
})

interface Call {
  parameters?: Record<string, string>
  query?: string
  body?: unknown
  key?: string | null
  status?: number
  answers: object | string
}

/** One good request of each operation; an operation without one fails the test below. In this order. */
const CALLS: Record<string, () => Call> = {
  'memories.add': () => ({ body: { userId: 'alice', content: 'Grüße 👋' }, status: 201, answers: { memory: { content: 'Grüße 👋' } } }),
  'memories.add_batch': () => ({ body: { items: [{ userId: 'alice', content: 'x' }] }, answers: { items: [{ ok: true }] } }),
  'memories.from_messages': () => ({
    body: { namespace: 'user:dora', messages: [{ role: 'user', content: 'Grüße 👋' }], infer: false },
    status: 201,
    answers: { memories: [{ content: 'Grüße 👋', speaker: 'user' }], items: [{ outcome: 'added' }] },
  }),
  'memories.consolidate': () => ({ body: { namespace: 'user:dora', strategy: 'exact' }, answers: { groups: [], done: true } }),
  'namespaces.put_consolidation': () => ({
    parameters: { namespace: 'user:dora' },
    body: { strategy: 'exact' },
    answers: { consolidation: { strategy: 'exact', everyHours: 24 } },
  }),
  'namespaces.get_consolidation': () => ({ parameters: { namespace: 'user:dora' }, answers: { consolidation: { strategy: 'exact' } } }),
  'namespaces.put_policy': () => ({
    parameters: { namespace: 'user:dora' },
    body: { keepVersions: 20 },
    answers: { policy: { keepVersions: 20 } },
  }),
  'namespaces.get_policy': () => ({ parameters: { namespace: 'user:dora' }, answers: { policy: { keepVersions: 20 } } }),
  'namespaces.delete_policy': () => ({ parameters: { namespace: 'user:dora' }, answers: { policy: { keepVersions: null } } }),
  'namespaces.put_key': () => ({
    parameters: { namespace: 'user:dora', key: '50% 👋' },
    body: { value: 1 },
    status: 201,
    answers: { memory: { key: '50% 👋', value: 1, version: 1 } },
  }),
  'namespaces.get_key': () => ({ parameters: { namespace: 'user:dora', key: '50% 👋' }, answers: { memory: { value: 1 } } }),
  'namespaces.key_history': () => ({ parameters: { namespace: 'user:dora', key: '50% 👋' }, answers: { items: [{ version: 1 }] } }),
  'namespaces.delete_key': () => ({ parameters: { namespace: 'user:dora', key: '50% 👋' }, answers: { deleted: true } }),
  'namespaces.list': () => ({ query: 'prefix=user%3Aalice', answers: { items: [{ name: 'user:alice' }] } }),
  'memories.delete_all': () => ({ body: { userId: 'dora', dryRun: true }, answers: { deleted: 0, done: true } }),
  'memories.list': () => ({ query: 'namespace=user%3Aalice&limit=1', answers: { items: [{ id }], nextCursor: expect.any(String) } }),
  'memories.get': () => ({ parameters: { id }, query: 'version=1', answers: { memory: { id, version: 1 } } }),
  'memories.update': () => ({ parameters: { id }, body: { importance: 2 }, answers: { memory: { id, version: 3 } } }),
  'memories.history': () => ({ parameters: { id }, answers: { items: [{ version: 3 }, { version: 2 }, { version: 1 }] } }),
  'memories.diff': () => ({ parameters: { id }, query: 'from=1&to=2', answers: { from: 1, to: 2 } }),
  'memories.search': () => ({ body: { userId: 'alice', query: 'met Anna', limit: 1 }, answers: { results: [{ memory: { id } }] } }),
  'memories.search_batch': () => ({
    body: { queries: [{ userId: 'alice', query: 'met Anna', limit: 1 }] },
    answers: { items: [{ results: [{ memory: { id } }] }] },
  }),
  'memories.context': () => ({ body: { userId: 'alice', query: 'met Anna' }, answers: { memoryIds: expect.arrayContaining([id]) } }),
  'graph.query': () => ({ body: { start: { value: 'Anna' } }, answers: { cut: false } }),
  'graph.entities': () => ({ query: 'q=anna', answers: { items: [{ value: 'Anna' }] } }),
  'graph.create_entities': () => ({
    body: { entities: [{ type: 'person', value: 'Anna', subject: 'user:alice' }] },
    answers: { entities: [{ id: anna, created: false }] },
  }),
  'graph.link_nodes': () => ({
    body: {
      links: [
        {
          from: { type: 'person', value: 'Anna', subject: 'user:alice' },
          type: 'knows',
          to: { type: 'person', value: 'Bert', subject: 'user:alice' },
        },
      ],
    },
    answers: { links: [{ from: { id: anna }, type: 'knows', created: true }] },
  }),
  'graph.entity': () => ({ parameters: { id: anna }, answers: { value: 'Anna' } }),
  'graph.entity_context': () => ({ parameters: { id: anna }, query: 'limit=5', answers: { entity: { id: anna }, memories: [{ id }] } }),
  'graph.related': () => ({ parameters: { id: anna }, query: 'hops=2&via=loves&via=hates', answers: { items: [], cut: false } }),
  'graph.paths': () => ({
    body: { from: { value: 'Anna' }, to: { value: 'Bert' }, namespacePrefix: 'user:alice' },
    answers: { cut: false, freshness: {} },
  }),
  'graph.merge_entities': () => ({
    parameters: { id: berta },
    body: { into: anna },
    answers: { entity: { id: anna }, merged: { id: berta } },
  }),
  'graph.unmerge_entity': () => ({ parameters: { id: berta }, body: {}, answers: { entity: { id: berta }, from: { id: anna } } }),
  'memories.recall': () => ({
    body: { userId: 'alice', query: 'met Anna', memoryTypes: ['note'], limit: 1 },
    answers: { results: [{ memory: { id } }] },
  }),
  'decisions.record': () => ({
    body: { userId: 'alice', title: 'Grüße', rationale: '👋' },
    status: 201,
    answers: { memory: { kind: 'decision', title: 'Grüße' } },
  }),
  'decisions.list': () => ({ query: 'userId=alice', answers: { items: [{ title: 'Grüße' }], nextCursor: null } }),
  'patterns.record': () => ({
    body: { userId: 'alice', name: 'Tea', description: 'At five' },
    status: 201,
    answers: { memory: { name: 'Tea' } },
  }),
  'patterns.list': () => ({ answers: { items: [{ name: 'Tea' }] } }),
  'commitments.create': () => ({
    body: { userId: 'alice', title: 'Write', owner: 'me' },
    status: 201,
    answers: { memory: { status: 'open' } },
  }),
  'commitments.list': () => ({ query: 'status=open&limit=1', answers: { items: [{ id: promised }], nextCursor: expect.any(String) } }),
  'commitments.complete': () => ({ parameters: { id: promised }, body: {}, answers: { memory: { id: promised, status: 'completed' } } }),
  'commitments.reopen': () => ({ parameters: { id: promised }, body: {}, answers: { memory: { id: promised, status: 'open' } } }),
  'sessions.start': () => ({ body: { id: 'today', appName: 'x', userId: 'alice' }, status: 201, answers: { session: { id: 'today' } } }),
  'sessions.get': () => ({ parameters: { id: 'today' }, answers: { session: { status: 'created' } } }),
  'sessions.list': () => ({ query: 'userId=alice&limit=1', answers: { items: [{ id: 'today' }], nextCursor: null } }),
  'sessions.append_event': () => ({ parameters: { id: 'today' }, body: { event: { a: 1 } }, answers: { seq: 1 } }),
  'sessions.events': () => ({ parameters: { id: 'today' }, query: 'after=0', answers: { items: [{ seq: 1, event: { a: 1 } }] } }),
  'sessions.put_state': () => ({ parameters: { id: 'today', key: 'session:50%' }, body: { value: 1 }, answers: { value: 1 } }),
  'sessions.get_state': () => ({ parameters: { id: 'today', key: 'session:50%' }, answers: { value: 1 } }),
  'sessions.delete_state': () => ({ parameters: { id: 'today', key: 'session:50%' }, answers: { deleted: true } }),
  'sessions.update_status': () => ({ parameters: { id: 'today' }, body: { status: 'active' }, answers: { session: { status: 'active' } } }),
  'sessions.end': () => ({ parameters: { id: 'today' }, body: {}, answers: { session: { status: 'terminated' } } }),
  'conversations.add_turn': () => ({
    parameters: { id: 'Grüße 👋' },
    body: { query: 'q', answer: 'a', userId: 'alice' },
    status: 201,
    answers: { turn: { conversationId: 'Grüße 👋' } },
  }),
  'conversations.context': () => ({ parameters: { id: 'Grüße 👋' }, query: 'limit=1&maxTokens=9', answers: { turns: [{ query: 'q' }] } }),
  'conversations.get': () => ({ parameters: { id: 'Grüße 👋' }, answers: { historyLength: 1 } }),
  'conversations.list': () => ({ query: 'userId=alice', answers: { items: [{ id: 'Grüße 👋' }] } }),
  'conversations.cleanup': () => ({ body: { maxAgeHours: 1 }, answers: { cleaned: 0, done: true } }),
  'conversations.clear': () => ({ parameters: { id: 'Grüße 👋' }, answers: { cleared: true } }),
  'audit.list': () => ({ query: `memoryId=${id}&action=memories.get`, answers: { items: [{ outcome: 'ok', requestId: 'lambda-00001' }] } }),
  'sessions.delete': () => ({ parameters: { id: 'today' }, answers: { deleted: true } }),
  'documents.put': () => ({
    body: { userId: 'alice', filePath: 'Grüße 👋.md', title: 'Grüße', content: '# 👋' },
    status: 201,
    answers: { document: { filePath: 'Grüße 👋.md', syncStatus: 'synced' } },
  }),
  'documents.list': () => ({
    query: 'userId=alice&syncStatus=synced',
    answers: { items: expect.arrayContaining([expect.objectContaining({ title: 'Grüße' })]) },
  }),
  'documents.get': () => ({
    parameters: { id: documentId },
    query: 'chunks=true&limit=1',
    answers: { chunks: { items: [{ position: 0 }] } },
  }),
  'documents.sync': () => ({ body: {}, answers: { done: true, left: 0 } }),
  'documents.delete': () => ({ parameters: { id: documentId }, answers: { deleted: true } }),
  'memories.delete': () => ({ parameters: { id }, query: 'hard=false', answers: { deleted: true, hard: false } }),
  'memories.restore': () => ({ parameters: { id }, answers: { memory: { id, deletedAt: null } } }),
  'persistence.retry_parked': () => ({ parameters: { id: parked }, answers: { id: parked, state: 'shown' } }),
  'persistence.status': () => ({ answers: { status: 'healthy' } }),
  'persistence.sync': () => ({ body: { operation: 'check', userId: 'alice' }, answers: { operation: 'check', done: true } }),
  'persistence.sync_run': () => ({ parameters: { runId }, answers: { runId, done: true } }),
  'persistence.stop_sync': () => ({ parameters: { runId }, answers: { runId, done: true } }),
  'persistence.sync_stats': () => ({ answers: { stats: { drift: { open: 0 } } } }),
  'keys.make': () => ({ body: { name: 'y', scopes: ['sync'], namespaces: ['*'] }, status: 201, answers: { key: { name: 'y' } } }),
  'keys.list': () => ({ answers: { nextCursor: null } }),
  'keys.rotate': () => ({ parameters: { id: keyId }, body: { graceSeconds: 1 }, answers: { key: { id: keyId } } }),
  'keys.revoke': () => ({ parameters: { id: keyId }, answers: { key: { id: keyId } } }),
  'tenants.make': () => ({ key: OPERATOR, body: { name: 'acme' }, status: 201, answers: { tenant: { name: 'acme' } } }),
  'tenants.list': () => ({ key: OPERATOR, query: 'limit=1', answers: { items: [{}] } }),
  'tenants.suspend': () => ({
    key: OPERATOR,
    parameters: { id: tenant.id },
    body: { suspended: false },
    answers: { tenant: { id: tenant.id } },
  }),
  'system.live': () => ({ key: null, answers: { status: 'live' } }),
  'system.ready': () => ({ answers: { status: 'ready' } }),
  'system.metrics': () => ({ answers: 'twofold_' }),
  'system.openapi': () => ({ key: null, answers: { openapi: expect.stringMatching(/^3\.1/) } }),
  'system.docs': () => ({ key: null, answers: '<!doctype html>' }),
}

function eventOf(
  { method, path }: AnyOperation<never>,
  { parameters = {}, query = '', body, key = tenant.key }: Call,
): APIGatewayProxyEventV2 {
  const rawPath = path.replaceAll(/\{(\w+)\}/g, (_, name) => parameters[name] as string)
  const http = { method: method.toUpperCase(), path: rawPath, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'test' }
  const routeKey = `${http.method} ${path}`
  return {
    version: '2.0',
    routeKey,
    rawPath,
    rawQueryString: query,
    headers: {
      'x-request-id': 'lambda-00001',
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(query ? { queryStringParameters: Object.fromEntries(new URLSearchParams(query)) } : {}),
    ...(Object.keys(parameters).length > 0 ? { pathParameters: parameters } : {}),
    // API Gateway sends what is not plain text as base64.
    ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)).toString('base64') }),
    isBase64Encoded: body !== undefined,
    requestContext: {
      accountId: '123456789012',
      apiId: 'api',
      domainName: 'api.example.org',
      domainPrefix: 'api',
      http,
      requestId: 'JKJaXmPLvHcESHA=',
      routeKey,
      stage: '$default',
      time: '12/Mar/2026:19:03:58 +0000',
      timeEpoch: 1583348638390,
    },
  }
}

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
    const call = (CALLS[name] as () => Call)()
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
    const declaring = files.filter((file) => file.startsWith('schedules/') && 'handler' in (modules.get(file) ?? {}))
    expect(declaring).toEqual(schedules.map(({ declared }) => `schedules/${declared.name}.ts`).sort())
    for (const { declared, handler } of schedules) expect(handlerOf(`schedules/${declared.name}.ts`)).toBe(handler)
  })

  test('the graph writer takes a real batch of SQS and names the message it cannot read', async () => {
    const memory = await tenant.add({ content: 'met Bert' })
    const record = (messageId: string, body: string): SQSEvent['Records'][number] => ({
      messageId,
      receiptHandle: 'AQEB',
      body,
      attributes: { ApproximateReceiveCount: '1', SentTimestamp: '1', SenderId: 'AIDA', ApproximateFirstReceiveTimestamp: '1' },
      messageAttributes: {},
      md5OfBody: '',
      eventSource: 'aws:sqs',
      eventSourceARN: 'arn:aws:sqs:eu-west-1:123456789012:graph-writes',
      awsRegion: 'eu-west-1',
    })
    const Records = [record('good', JSON.stringify({ tenant: tenant.id, ids: [memory.id] })), record('bad', 'no json')]
    expect(await handlerOf('queues/graph-writes.ts')({ Records })).toEqual({ batchItemFailures: [{ itemIdentifier: 'bad' }] })
    expect((await tenant.get(`/v1/memories/${memory.id}`)).json.receipt.stores.graph.state).toBe('written')
  })

  test('events of other services are taken from a real batch of SQS, and what cannot be read is left there when nobody takes it', async () => {
    const attributes = { ApproximateReceiveCount: '1', SentTimestamp: '1', SenderId: 'AIDA', ApproximateFirstReceiveTimestamp: '1' }
    const data = { userId: 'alice', content: 'By event', extractEntities: false }
    const event = { specversion: '1.0', id: '1', source: '/crm', type: 'twofold.memories.remember', tenant: tenant.id, data }
    const Records = [
      { messageId: 'good', body: JSON.stringify(event), attributes },
      { messageId: 'bad', body: 'no json', attributes },
    ]
    expect(await handlerOf('queues/ingest.ts')({ Records })).toEqual({ batchItemFailures: [{ itemIdentifier: 'bad' }] })
    expect((await tenant.get('/v1/memories?createdBy=queue%3A%2Fcrm')).json.items).toMatchObject([{ content: 'By event' }])
  })

  test.each(schedules.map(({ declared }) => declared.name))('%s does its round at a scheduled event', async (name) => {
    here.provider.fail('server-error')
    const { id } = await tenant.add({ content: 'met Carl' })
    here.provider.fail(null)
    const event: ScheduledEvent = {
      ...{
        id: 'cdc73f9d-aea9-11e3-9d5a-835b769c0d9c',
        version: '0',
        account: '123456789012',
        time: '2026-03-12T19:03:58Z',
        region: 'eu-west-1',
      },
      ...{
        'detail-type': 'Scheduled Event',
        source: 'aws.events',
        resources: ['arn:aws:events:eu-west-1:123456789012:rule/relay'],
        detail: {},
      },
    }
    expect(await handlerOf(`schedules/${name}.ts`)(event)).not.toHaveProperty('skipped')
    const paid = { relay: 'graph', reembed: 'embedding' }[name]
    if (paid) expect((await tenant.get(`/v1/memories/${id}`)).json.receipt.owed).not.toContain(paid)
  })
})
