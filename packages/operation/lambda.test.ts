import { randomBytes } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { describe, expect, test } from 'vitest'
import * as z from 'zod-own'
import { lambdaEndpoint, lambdaHandler } from './http.ts'
import { add, desk, get, KEY } from './notes.fixture.ts'
import { operation } from './operation.ts'

/** As an HTTP API sends it: the path decoded, the query as it came. */
function event(method: string, rawPath: string, more: Partial<APIGatewayProxyEventV2> = {}): APIGatewayProxyEventV2 {
  const http = { method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'test' }
  const requestContext = {
    accountId: '123456789012',
    apiId: 'api',
    domainName: 'api.example.org',
    domainPrefix: 'api',
    http,
    requestId: 'JKJaXmPLvHcESHA=',
    routeKey: `${method} ${rawPath}`,
    stage: '$default',
    time: '12/Mar/2026:19:03:58 +0000',
    timeEpoch: 1583348638390,
  }
  return {
    version: '2.0',
    routeKey: requestContext.routeKey,
    rawPath,
    rawQueryString: '',
    headers: { ...KEY },
    isBase64Encoded: false,
    requestContext,
    ...more,
  }
}

test('an event becomes a request and its answer a result, whether the body is text or base64', async () => {
  const { around, here } = desk()
  const handler = lambdaHandler(add, around)
  const body = '{"content":"Grüße 👋"}'
  const headers = { ...KEY, 'content-type': 'application/json', 'x-request-id': 'lambda-0001' }
  const text = await handler(event('POST', '/v1/notes', { headers, body }))
  expect(text).toMatchObject({ statusCode: 201, isBase64Encoded: false, headers: { etag: '"1"', 'x-request-id': 'lambda-0001' } })
  expect(JSON.parse(text.body)).toEqual({ note: { id: 'n', content: 'Grüße 👋', version: 1 } })
  await handler(event('POST', '/v1/notes', { headers, body: Buffer.from(body).toString('base64'), isBase64Encoded: true }))
  expect(here.seen.map(({ input }) => input)).toEqual(Array(2).fill({ content: 'Grüße 👋', count: 1 }))
})

test('a parameter that the gateway has decoded is not decoded again', async () => {
  const { around, here } = desk()
  const handler = lambdaHandler(get, around)
  for (const id of ['a b', '100%', '%41', 'what?', 'é']) {
    await handler(event('GET', `/stage/v1/notes/${id}`, { pathParameters: { id }, rawQueryString: 'version=2', body: 'ignored' }))
  }
  expect(here.seen.map(({ input }) => (input as { id: string }).id)).toEqual(['a b', '100%', '%41', 'what?', 'é'])
  expect(here.seen[0]?.input).toEqual({ id: 'a b', version: 2, deep: false })
})

test('a function URL, which leaves the path encoded, reaches the same', async () => {
  const { around, here } = desk()
  await lambdaHandler(get, around)(event('GET', '/v1/notes/a%20b'))
  expect(here.seen[0]?.input).toEqual({ id: 'a b', deep: false })
})

test('refusals of a Lambda are problems too', async () => {
  const { around } = desk()
  const bad = await lambdaHandler(add, around)(event('POST', '/v1/notes', { body: '{"content":5}' }))
  expect([bad.statusCode, bad.isBase64Encoded]).toEqual([415, false])
  const other = await lambdaHandler(get, around)(event('PUT', '/v1/notes/a', { pathParameters: { id: 'a' } }))
  expect([other.statusCode, JSON.parse(other.body).code]).toEqual([405, 'method_not_allowed'])
  const large = { headers: { ...KEY, 'content-type': 'application/json' }, body: `{"content":"${'x'.repeat(1024 * 1024)}"}` }
  expect((await lambdaHandler(add, around)(event('POST', '/v1/notes', large))).statusCode).toBe(413)
})

describe('an answer larger than Lambda hands over', () => {
  const MOST = 6_291_556
  /** An operation that answers so much. */
  const answering = (text: string) =>
    operation({
      name: 'notes.text',
      method: 'get',
      path: '/v1/notes',
      scope: null,
      summary: 'All of it.',
      input: z.strictObject({}),
      output: z.object({ text: z.string() }),
      handle: () => ({ text }),
    })
  const ask = (text: string, accepted?: string) =>
    lambdaHandler(
      answering(text),
      desk().around,
    )(event('GET', '/v1/notes', { headers: { ...KEY, ...(accepted && { 'accept-encoding': accepted }) } }))
  const bytes = (answer: unknown) => Buffer.byteLength(JSON.stringify(answer))
  const words = 'so it goes, "again" and again\n'.repeat(250_000)

  test('goes as it is as long as it fits', async () => {
    const answer = await ask('x'.repeat(6_000_000))
    expect([answer.statusCode, answer.isBase64Encoded, answer.headers['content-encoding']]).toEqual([200, false, undefined])
    expect(bytes(answer)).toBeLessThan(MOST)
  })

  test.each([undefined, 'gzip, deflate, br', 'br;q=1.0, *;q=0.1'])('goes compressed to who takes %s', async (accepted) => {
    const answer = await ask(words, accepted)
    expect([answer.statusCode, answer.isBase64Encoded]).toEqual([200, true])
    expect(answer.headers).toMatchObject({ 'content-encoding': 'gzip', 'content-type': 'application/json', vary: 'Accept-Encoding' })
    expect(bytes(answer)).toBeLessThan(MOST)
    expect(JSON.parse(gunzipSync(Buffer.from(answer.body, 'base64')).toString())).toEqual({ text: words })
  })

  test.each(['identity', 'br', 'gzip;q=0', 'gzip; q=0, *'])('is refused to who takes only %s', async (accepted) => {
    const answer = await ask(words, accepted)
    expect([answer.statusCode, JSON.parse(answer.body)]).toMatchObject([
      413,
      { code: 'too_large', detail: expect.stringContaining('gzip') },
    ])
  })

  test('is refused when it does not fit compressed either', async () => {
    const answer = await ask(randomBytes(6_000_000).toString('base64'))
    expect([answer.statusCode, JSON.parse(answer.body)]).toMatchObject([
      413,
      { code: 'too_large', detail: expect.stringContaining('fewer') },
    ])
  })

  test('is the same of an endpoint', async () => {
    const { around } = desk()
    const asked = (text: string, status = 200) =>
      lambdaEndpoint(
        '/mcp',
        async () => new Response(text, { status, headers: { 'content-type': 'application/json' } }),
        around,
      )(event('POST', '/mcp', { body: '{}' }))
    expect(await asked('{}')).toMatchObject({ statusCode: 200, body: '{}', isBase64Encoded: false })
    expect(await asked('', 202)).toMatchObject({ statusCode: 202, body: '' })
    const large = await asked(JSON.stringify(words))
    expect(gunzipSync(Buffer.from(large.body, 'base64')).toString()).toBe(JSON.stringify(words))
    expect(await asked(randomBytes(6_000_000).toString('base64'))).toMatchObject({ statusCode: 413 })
  })
})
