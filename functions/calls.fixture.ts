import { globSync } from 'node:fs'
import { join } from 'node:path'
import type { AnyOperation } from '@twofold/operation/operation.ts'
import type { APIGatewayProxyEventV2, ScheduledEvent, SQSEvent } from 'aws-lambda'
import { expect } from 'vitest'
import type { Tenant, World } from './fixture.ts'

/** What AWS would send, and what stands in the stores before it does. */

export const OPERATOR = 'operator-key-of-the-test'

/** Every module in a folder here, by its path: what stands in them for itself has a `handler`. */
export async function readModules(): Promise<Map<string, Record<string, unknown>>> {
  const files = globSync('*/*.ts', { cwd: import.meta.dirname }).filter((file) => !file.endsWith('.test.ts'))
  return new Map(await Promise.all(files.map(async (file) => [file, await import(join(import.meta.dirname, file))] as const)))
}

const isOperation = (value: unknown): value is AnyOperation<never> =>
  typeof value === 'object' && value !== null && 'path' in value && 'handle' in value

/** The operation that a module declares. */
export const operationOf = (exported: Record<string, unknown>) => Object.values(exported).find(isOperation)

/** Where each operation stands, by its name. */
export async function filesOfOperations(): Promise<Map<string, { file: string; operation: AnyOperation<never> }>> {
  const found = [...(await readModules())].map(([file, exported]) => ({ file, operation: operationOf(exported) }))
  return new Map(found.flatMap(({ file, operation }) => (operation ? [[operation.name, { file, operation }] as const] : [])))
}

/** What every request below may speak of. */
export interface Scene {
  tenant: Tenant
  id: string
  keyId: string
  anna: string
  berta: string
  parked: string
  runId: string
  promised: string
  documentId: string
}

export async function sceneOf(here: World): Promise<Scene> {
  const tenant = await here.tenant()
  const id = (await tenant.add({ content: 'met Anna', waitFor: 'graph' })).id
  await tenant.patch(`/v1/memories/${id}`, { importance: 1 })
  const anna = (await tenant.get('/v1/graph/entities?q=anna')).json.items[0].id
  const named = [{ type: 'person', value: 'Berta', subject: 'user:alice' }]
  const berta = (await tenant.post('/v1/graph/entities', { entities: named })).json.entities[0].id
  const promised = (await tenant.post('/v1/commitments', { userId: 'alice', title: 'Call', owner: 'me' })).json.memory.id
  const parked = (await tenant.add({ content: 'refused until now' })).id
  await here.owner(`update twofold.ledger set parked_at = now() where id = '${parked}'`)
  const runId = (await tenant.post('/api/persistence/sync', { operation: 'check', userId: 'bob' })).json.runId
  const file = { userId: 'alice', filePath: 'a.md', title: 'A', content: 'Text.' }
  const documentId = (await tenant.call('PUT', '/v1/documents', file)).json.document.id
  const keyId = (await tenant.post('/v1/keys', { name: 'x', scopes: ['sync'], namespaces: ['*'] })).json.key.id
  return { tenant, id, keyId, anna, berta, parked, runId, promised, documentId }
}

export interface Call {
  parameters?: Record<string, string>
  query?: string
  body?: unknown
  /** Another than the tenant's; null: none at all. */
  key?: string | null
  status?: number
  answers: object | string
}

/** One good request of each operation, to be sent in this order. */
export const CALLS: Readonly<Record<string, (scene: Scene) => Call>> = {
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
  'memories.list': ({ id }) => ({ query: 'namespace=user%3Aalice&limit=1', answers: { items: [{ id }], nextCursor: expect.any(String) } }),
  'memories.get': ({ id }) => ({ parameters: { id }, query: 'version=1', answers: { memory: { id, version: 1 } } }),
  'memories.update': ({ id }) => ({ parameters: { id }, body: { importance: 2 }, answers: { memory: { id, version: 3 } } }),
  'memories.history': ({ id }) => ({ parameters: { id }, answers: { items: [{ version: 3 }, { version: 2 }, { version: 1 }] } }),
  'memories.diff': ({ id }) => ({ parameters: { id }, query: 'from=1&to=2', answers: { from: 1, to: 2 } }),
  'memories.search': ({ id }) => ({ body: { userId: 'alice', query: 'met Anna', limit: 1 }, answers: { results: [{ memory: { id } }] } }),
  'memories.search_batch': ({ id }) => ({
    body: { queries: [{ userId: 'alice', query: 'met Anna', limit: 1 }] },
    answers: { items: [{ results: [{ memory: { id } }] }] },
  }),
  'memories.context': ({ id }) => ({ body: { userId: 'alice', query: 'met Anna' }, answers: { memoryIds: expect.arrayContaining([id]) } }),
  'graph.query': () => ({ body: { start: { value: 'Anna' } }, answers: { cut: false } }),
  'graph.entities': () => ({ query: 'q=anna', answers: { items: [{ value: 'Anna' }] } }),
  'graph.create_entities': ({ anna }) => ({
    body: { entities: [{ type: 'person', value: 'Anna', subject: 'user:alice' }] },
    answers: { entities: [{ id: anna, created: false }] },
  }),
  'graph.link_nodes': ({ anna }) => ({
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
  'graph.entity': ({ anna }) => ({ parameters: { id: anna }, answers: { value: 'Anna' } }),
  'graph.entity_context': ({ id, anna }) => ({
    parameters: { id: anna },
    query: 'limit=5',
    answers: { entity: { id: anna }, memories: [{ id }] },
  }),
  'graph.related': ({ anna }) => ({ parameters: { id: anna }, query: 'hops=2&via=loves&via=hates', answers: { items: [], cut: false } }),
  'graph.paths': () => ({
    body: { from: { value: 'Anna' }, to: { value: 'Bert' }, namespacePrefix: 'user:alice' },
    answers: { cut: false, freshness: {} },
  }),
  'graph.merge_entities': ({ anna, berta }) => ({
    parameters: { id: berta },
    body: { into: anna },
    answers: { entity: { id: anna }, merged: { id: berta } },
  }),
  'graph.unmerge_entity': ({ anna, berta }) => ({
    parameters: { id: berta },
    body: {},
    answers: { entity: { id: berta }, from: { id: anna } },
  }),
  'memories.recall': ({ id }) => ({
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
  'commitments.list': ({ promised }) => ({
    query: 'status=open&limit=1',
    answers: { items: [{ id: promised }], nextCursor: expect.any(String) },
  }),
  'commitments.complete': ({ promised }) => ({
    parameters: { id: promised },
    body: {},
    answers: { memory: { id: promised, status: 'completed' } },
  }),
  'commitments.reopen': ({ promised }) => ({
    parameters: { id: promised },
    body: {},
    answers: { memory: { id: promised, status: 'open' } },
  }),
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
  'audit.list': ({ id }) => ({
    query: `memoryId=${id}&action=memories.get`,
    answers: { items: [{ outcome: 'ok', requestId: 'lambda-00001' }] },
  }),
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
  'documents.get': ({ documentId }) => ({
    parameters: { id: documentId },
    query: 'chunks=true&limit=1',
    answers: { chunks: { items: [{ position: 0 }] } },
  }),
  'documents.sync': () => ({ body: {}, answers: { done: true, left: 0 } }),
  'documents.delete': ({ documentId }) => ({ parameters: { id: documentId }, answers: { deleted: true } }),
  'memories.delete': ({ id }) => ({ parameters: { id }, query: 'hard=false', answers: { deleted: true, hard: false } }),
  'memories.restore': ({ id }) => ({ parameters: { id }, answers: { memory: { id, deletedAt: null } } }),
  'persistence.retry_parked': ({ parked }) => ({ parameters: { id: parked }, answers: { id: parked, state: 'shown' } }),
  // What is owed is late after a minute, and nothing sweeps here.
  'persistence.status': () => ({ answers: { stores: { vectorStore: { available: true }, graphStore: { available: true } } } }),
  'persistence.sync': () => ({ body: { operation: 'check', userId: 'alice' }, answers: { operation: 'check', done: true } }),
  'persistence.sync_run': ({ runId }) => ({ parameters: { runId }, answers: { runId, done: true } }),
  'persistence.stop_sync': ({ runId }) => ({ parameters: { runId }, answers: { runId, done: true } }),
  'persistence.sync_stats': () => ({ answers: { stats: { drift: { open: 0 } } } }),
  'keys.make': () => ({ body: { name: 'y', scopes: ['sync'], namespaces: ['*'] }, status: 201, answers: { key: { name: 'y' } } }),
  'keys.list': () => ({ answers: { nextCursor: null } }),
  'keys.rotate': ({ keyId }) => ({ parameters: { id: keyId }, body: { graceSeconds: 1 }, answers: { key: { id: keyId } } }),
  'keys.revoke': ({ keyId }) => ({ parameters: { id: keyId }, answers: { key: { id: keyId } } }),
  'tenants.make': () => ({ key: OPERATOR, body: { name: 'acme' }, status: 201, answers: { tenant: { name: 'acme' } } }),
  'tenants.list': () => ({ key: OPERATOR, query: 'limit=1', answers: { items: [{}] } }),
  'tenants.suspend': ({ tenant }) => ({
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

/** The event of an HTTP API (payload 2.0) that this request becomes. */
export function eventOf(
  { method, path }: Pick<AnyOperation<never>, 'method' | 'path'>,
  { parameters = {}, query = '', body, key = null }: Pick<Call, 'parameters' | 'query' | 'body' | 'key'>,
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

/** One message as a queue hands it over. */
export const recordOf = (queue: string, messageId: string, body: string, receives = 1): SQSEvent['Records'][number] => ({
  messageId,
  receiptHandle: 'AQEB',
  body,
  attributes: {
    ...{ ApproximateReceiveCount: String(receives), SentTimestamp: '1', SenderId: 'AIDA', ApproximateFirstReceiveTimestamp: '1' },
  },
  messageAttributes: {},
  md5OfBody: '',
  eventSource: 'aws:sqs',
  eventSourceARN: `arn:aws:sqs:eu-west-1:123456789012:${queue}`,
  awsRegion: 'eu-west-1',
})

/** What starts a schedule. */
export const SCHEDULED: ScheduledEvent = {
  id: 'cdc73f9d-aea9-11e3-9d5a-835b769c0d9c',
  version: '0',
  account: '123456789012',
  time: '2026-03-12T19:03:58Z',
  region: 'eu-west-1',
  'detail-type': 'Scheduled Event',
  source: 'aws.events',
  resources: ['arn:aws:events:eu-west-1:123456789012:rule/relay'],
  detail: {},
}
