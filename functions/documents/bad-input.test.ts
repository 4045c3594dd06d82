import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Tenant, type World, world } from '../fixture.ts'

let here: World
let tenant: Tenant
beforeAll(async () => {
  here = await world()
})
afterAll(() => here.close())
beforeEach(async () => {
  tenant = await here.tenant()
})

const file = { namespace: 'user:alice', filePath: 'a.md', title: 'A', content: 'Text.' }
const paths = (json: any) => [...new Set((json.errors ?? []).map((e: { path: string }) => e.path))]

test.each<[string, object, string]>([
  ['no content', { content: undefined }, 'content'],
  ['content that is no text', { content: { a: 1 } }, 'content'],
  ['NUL', { content: 'a\0b' }, 'content'],
  ['half a character', { content: 'a\ud800b' }, 'content'],
  [
    'bytes read as Latin-1',
    { content: Buffer.from(Uint8Array.from({ length: 999 }, (_, i) => 1 + ((i * 7) % 255))).toString('latin1') },
    'content',
  ],
  [
    'bytes read as UTF-8',
    { content: Buffer.from(Uint8Array.from({ length: 999 }, (_, i) => 1 + ((i * 7) % 255))).toString('utf8') },
    'content',
  ],
  ['a PDF', { content: '%PDF-1.7\n1 0 obj' }, 'content'],
  ['an image as a data URL', { content: 'data:image/png;base64,iVBORw0KGgo=' }, 'content'],
  ['no path', { filePath: undefined }, 'filePath'],
  ['an empty path', { filePath: '' }, 'filePath'],
  ['a blank path', { filePath: ' ' }, 'filePath'],
  ['a path of two lines', { filePath: 'a\nb' }, 'filePath'],
  ['a long path', { filePath: 'x'.repeat(1001) }, 'filePath'],
  ['no title', { title: undefined }, 'title'],
  ['a blank title', { title: ' ' }, 'title'],
  ['a long title', { title: 'x'.repeat(501) }, 'title'],
  ['a type in capitals', { documentType: 'Markdown' }, 'documentType'],
  ['a long type', { documentType: 'x'.repeat(41) }, 'documentType'],
  ['metadata that is a list', { metadata: [] }, 'metadata'],
  ['much metadata', { metadata: { a: 'x'.repeat(8192) } }, 'metadata'],
  ['metadata in our place', { metadata: { document: 1 } }, 'metadata.document'],
  ['no namespace', { namespace: undefined }, 'namespace'],
  ['a temporary namespace', { namespace: 'temp:x' }, 'namespace'],
  ['a pattern', { namespace: 'user:' }, 'namespace'],
  ['two places', { userId: 'alice' }, 'userId'],
  ['an unknown field', { chunks: [] }, 'chunks'],
])('%s is refused by name, and nothing is stored', async (_, wrong, path) => {
  const { status, json } = await tenant.call('PUT', '/v1/documents', { ...file, ...wrong })
  expect([status, paths(json)]).toEqual([400, [path]])
  expect((await tenant.get('/v1/documents')).json.items).toEqual([])
})

test.each([
  ['?syncStatus=done', 'syncStatus'],
  ['?documentType=A%20B', 'documentType'],
  ['?contentHash=xyz', 'contentHash'],
  ['?updatedSince=yesterday', 'updatedSince'],
  ['?updatedSince=300000-01-01T00:00:00Z', 'updatedSince'],
  ['?namespacePrefix=user:%25:', 'namespacePrefix'],
  ['?namespace=user:a&userId=b', 'userId'],
  ['?limit=0', 'limit'],
  ['?limit=501', 'limit'],
  ['?cursor=abc', 'cursor'],
  ['?filePath=', 'filePath'],
  ['?title=x', 'title'],
  ['/one', 'id'],
  ['/0192f0c1-2a3b-7c4d-8e5f-60718293a4b5?chunks=maybe', 'chunks'],
  ['/0192f0c1-2a3b-7c4d-8e5f-60718293a4b5?cursor=LTE', 'cursor'],
])('GET /v1/documents%s is refused by name', async (query, path) => {
  const { status, json } = await tenant.get(`/v1/documents${query}`)
  expect([status, paths(json)]).toEqual([400, [path]])
})

test('what is asked of a document that is not there, or of all of them, is refused', async () => {
  const path = '/v1/documents/0192f0c1-2a3b-7c4d-8e5f-60718293a4b5'
  for (const answer of [await tenant.get(path), await tenant.del(path)])
    expect([answer.status, answer.json.code]).toEqual([404, 'not_found'])
  expect(paths((await tenant.del('/v1/documents/one')).json)).toEqual(['id'])
  expect(paths((await tenant.del(`${path}?hard=true`)).json)).toEqual(['hard'])
  expect(paths((await tenant.post('/v1/documents/sync', { cursor: 'x' })).json)).toEqual(['cursor'])
  expect(paths((await tenant.post('/v1/documents/sync', { namespace: 'user:a', namespacePrefix: 'user:a' })).json)).toEqual([
    'namespacePrefix',
  ])
  expect((await tenant.post('/v1/documents', file)).headers.get('allow')).toBe('GET, HEAD, PUT')
  expect((await tenant.patch(path, { title: 'x' })).status).toBe(405)
})

test('the longest names there are find room in the indexes', async () => {
  const namespace = `user:${'界'.repeat(255)}:${'界'.repeat(240)}`
  const made = await tenant.call('PUT', '/v1/documents', { ...file, namespace, filePath: '界'.repeat(1000), title: '界'.repeat(500) })
  expect([made.status, made.json.document?.syncStatus]).toEqual([201, 'synced'])
})
