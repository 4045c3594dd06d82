import { once as happens } from 'node:events'
import { type ClientRequest, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { desk, JSON_KEY } from './notes.fixture.ts'

const served = desk()
const server = createAdaptorServer({ fetch: served.app.fetch }) as Server
let port = 0

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await happens(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const open = (path: string, headers = {}): ClientRequest => request({ port, path, method: 'POST', headers: { ...JSON_KEY, ...headers } })

async function answerOf(sent: ClientRequest): Promise<{ status: number; json: Record<string, unknown> }> {
  const [incoming] = (await happens(sent, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of incoming) text += chunk
  return { status: incoming.statusCode as number, json: JSON.parse(text) }
}

test('a chunked body of any pieces is read whole, even when a character is split', async () => {
  const sent = open('/v1/notes')
  const answer = answerOf(sent)
  for (const byte of Buffer.from('{"content":"é👋"}')) sent.write(Uint8Array.of(byte))
  sent.end()
  expect(await answer).toMatchObject({ status: 201, json: { note: { content: 'é👋' } } })
})

test('an endless chunked body is answered 413 while it is still being sent', async () => {
  const sent = open('/v1/notes/search')
  sent.on('error', () => {})
  const answer = answerOf(sent)
  const more = setInterval(() => sent.write(Buffer.alloc(10_000, 'x')), 1)
  expect(await answer).toMatchObject({ status: 413, json: { code: 'too_large' } })
  clearInterval(more)
  sent.destroy()
})

test('a body announced as too large is answered 413 without waiting for it', async () => {
  const sent = open('/v1/notes', { 'content-length': String(50 * 1024 * 1024) })
  sent.on('error', () => {})
  sent.flushHeaders()
  expect(await answerOf(sent)).toMatchObject({ status: 413 })
  sent.destroy()
})

test('the whole of a body that is somewhat too large may be sent before its 413 is read', async () => {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/notes`, { method: 'POST', headers: JSON_KEY, body: 'x'.repeat(2_000_000) })
  expect([answer.status, await answer.json()]).toMatchObject([413, { code: 'too_large' }])
})

test('a body without a length and without a byte is none', async () => {
  const sent = open('/v1/notes/search', { 'transfer-encoding': 'chunked', 'content-type': 'text/plain' })
  sent.end()
  expect(await answerOf(sent)).toMatchObject({ status: 200, json: { results: [] } })
})

test('a caller who hangs up aborts the signal that the handler holds', async () => {
  served.here.wait = new Promise(() => {})
  const before = served.here.seen.length
  const sent = open('/v1/notes')
  sent.on('error', () => {})
  sent.end('{"content":"x"}')
  await expect.poll(() => served.here.seen.length).toBe(before + 1)
  sent.destroy()
  await expect.poll(() => served.here.seen[before]?.caller.signal.aborted).toBe(true)
  await expect.poll(() => served.observed.at(-1)?.code).toBe('gone_away')
  served.here.wait = null
})

test('a body that breaks off half-way reaches no handler', async () => {
  const [before, ended] = [served.here.seen.length, served.observed.length]
  const sent = open('/v1/notes', { 'content-length': '1000' })
  sent.on('error', () => {})
  sent.write('{"content":')
  await happens(server, 'request')
  sent.destroy()
  await expect.poll(() => served.observed.length).toBe(ended + 1)
  expect([served.here.seen.length, served.observed.at(-1)?.code, served.logged]).toEqual([before, 'gone_away', []])
})
