import fc from 'fast-check'
import { expect, test } from 'vitest'
import { desk, JSON_KEY, KEY } from './notes.fixture.ts'

async function ask(method: string, path: string, body?: string | Uint8Array<ArrayBuffer>, headers = {}) {
  const { app, here } = desk()
  const answer = await app.request(path, { method, body, headers: { ...(body === undefined ? KEY : JSON_KEY), ...headers } })
  const text = await answer.text()
  const json = JSON.parse(text)
  const errors = Object.fromEntries((json.errors ?? []).map((each: { path: string; message: string }) => [each.path, each.message]))
  return { status: answer.status, json, text, errors, input: here.seen[0]?.input }
}

test('path, query and body become one input, the strings of path and query by what the schema takes', async () => {
  expect((await ask('GET', '/v1/notes/a%20b%C3%A9%3F?version=3&deep=true')).input).toEqual({ id: 'a bé?', version: 3, deep: true })
  expect((await ask('GET', '/v1/notes/12?deep=false')).input).toEqual({ id: '12', deep: false })
  expect((await ask('GET', '/v1/notes?tag=a&tag=b+c&at=1&at=2&limit=7')).input).toEqual({ tag: ['a', 'b c'], at: [1, 2], limit: 7 })
  expect((await ask('GET', '/v1/notes?tag=1')).input).toEqual({ tag: ['1'], limit: 50 })
  expect((await ask('DELETE', '/v1/notes/a?hard=true')).input).toEqual({ id: 'a', hard: true, cascadeGraph: true })
  expect((await ask('PATCH', '/v1/notes/a?dryRun=true', '{"content":"x"}')).input).toEqual({ id: 'a', dryRun: true, content: 'x' })
})

test('a parameter is decoded exactly once', async () => {
  expect((await ask('GET', '/v1/notes/100%2525')).input).toMatchObject({ id: '100%25' })
})

test('what a path or query cannot be is refused by its name', async () => {
  const refused = await ask('GET', '/v1/notes/a%ff?version=1.5x&deep=yes&other=1&version%00=2')
  expect(refused.status).toBe(400)
  expect(refused.errors).toMatchObject({
    id: 'must be percent-encoded UTF-8',
    version: expect.stringContaining('expected number'),
    deep: expect.stringContaining('expected boolean'),
    other: 'is not a known field',
    query: 'must not hold a NUL character',
  })
  expect((await ask('GET', '/v1/notes/a%00')).errors).toEqual({ id: 'must not hold a NUL character' })
  expect((await ask('GET', '/v1/notes/a?version=1&version=2')).status).toBe(400)
  expect((await ask('GET', '/v1/notes?limit=')).errors).toHaveProperty('limit')
  expect((await ask('GET', '/v1/notes?limit=0x10')).errors).toHaveProperty('limit')
  expect((await ask('GET', '/v1/notes?at=1&at=x')).errors).toHaveProperty('at[1]')
  expect((await ask('GET', '/v1/notes/a?__proto__=1')).errors).toEqual({
    __proto__: undefined,
    ['__proto__' as string]: 'is not a known field',
  })
})

test('a field in the wrong place is told where it belongs', async () => {
  expect((await ask('PATCH', '/v1/notes/a', '{"id":"b","dryRun":true,"content":"x"}')).errors).toEqual({
    id: 'belongs in the path, not in the body',
    dryRun: 'belongs in the query, not in the body',
  })
  expect((await ask('POST', '/v1/notes?content=x', '{}')).errors).toEqual({ content: 'belongs in the body, not in the query' })
  expect((await ask('DELETE', '/v1/notes/a', '{"hard":true}')).errors).toEqual({ hard: 'belongs in the query, not in the body' })
})

test('every bad field is named at once, by its path, without repeating what was sent', async () => {
  const body = { content: 5, surprise: 'hunter2', tags: ['a', 7], about: { id: 'x' }, metadata: [] }
  const refused = await ask('POST', '/v1/notes', JSON.stringify(body))
  expect(Object.keys(refused.errors).sort()).toEqual(['about.id', 'content', 'metadata', 'surprise', 'tags[1]'])
  expect(refused.errors.surprise).toBe('is not a known field')
  expect(refused.text).not.toContain('hunter2')
  expect((await ask('POST', '/v1/notes', '{}')).errors).toEqual({ content: 'is required' })
})

test('a body that is not a JSON object in UTF-8 is refused', async () => {
  const bodies: [string | Uint8Array<ArrayBuffer>, string][] = [
    ['{"content":', 'is not JSON'],
    ['{"content":"x",}', 'is not JSON (line 1 column 16)'],
    ['{"content":NaN}', 'is not JSON'],
    ["{'content':'x'}", 'is not JSON (line 1 column 2)'],
    ['[]', 'must be a JSON object'],
    ['null', 'must be a JSON object'],
    ['"x"', 'must be a JSON object'],
    [Uint8Array.from(Buffer.from('{"content":"\xff"}', 'latin1')), 'must be UTF-8'],
    [Uint8Array.from(Buffer.from('{"content":"\xed\xa0\x80"}', 'latin1')), 'must be UTF-8'],
  ]
  for (const [body, message] of bodies) expect([body, (await ask('POST', '/v1/notes', body)).errors.body]).toEqual([body, message])
})

test('NUL, lone surrogates, infinity and keys that reach for a prototype are refused anywhere, by their path', async () => {
  const fields: [string, string][] = [
    ['"content":"a\\u0000b"', 'content'],
    ['"content":"\\ud800"', 'content'],
    ['"tags":["x","\\udc00x"]', 'tags[1]'],
    ['"metadata":{"a":{"b\\u0000":1}}', 'metadata.a["b\\u0000"]'],
    ['"metadata":{"\\udfff":1}', 'metadata["\\udfff"]'],
    ['"metadata":{"n":[1e999]}', 'metadata.n[0]'],
    ['"metadata":{"n":-1e999}', 'metadata.n'],
    ['"__proto__":{"admin":true}', '__proto__'],
    ['"metadata":{"x":{"__proto__":null}}', 'metadata.x.__proto__'],
    ['"metadata":{"constructor":{"prototype":{"a":1}}}', 'metadata.constructor'],
  ]
  for (const [field, path] of fields) {
    const refused = await ask('POST', '/v1/notes', `{${field}}`)
    expect([field, refused.status, refused.json.errors[0].path]).toEqual([field, 400, path])
  }
  const fine = { content: '\u{1F600} \u05d0\u202e\ud83d\udc4d\u0001', metadata: { constructor: 'Ford', prototype: { a: 1 }, toString: 1 } }
  expect((await ask('POST', '/v1/notes', JSON.stringify(fine))).input).toEqual({ ...fine, count: 1 })
})

test('64 levels are read, 65 are refused, and a hundred thousand do no harm', async () => {
  const nested = (levels: number) => `{"content":"x","metadata":{"a":${'['.repeat(levels - 2)}${']'.repeat(levels - 2)}}}`
  expect((await ask('POST', '/v1/notes', nested(64))).status).toBe(201)
  const deep = await ask('POST', '/v1/notes', nested(65))
  expect([deep.status, deep.json.errors[0].message]).toEqual([400, 'must not be nested deeper than 64 levels'])
  expect((await ask('POST', '/v1/notes', nested(100_000))).status).toBe(400)
})

test('an answer to very many mistakes stays short', async () => {
  const bad = await ask('POST', '/v1/notes', `{"content":"x","tags":[${Array(50_000).fill('"\\u0000"').join()}],"${'k'.repeat(10_000)}":1}`)
  expect([bad.status, bad.json.errors.length, bad.text.length < 10_000]).toEqual([400, 50, true])
  const unknown = await ask('POST', '/v1/notes', `{"${'k'.repeat(10_000)}":1}`)
  expect([unknown.status, unknown.text.length < 2000]).toEqual([400, true])
})

test('a body is JSON in UTF-8 without an encoding, or it is 415', async () => {
  for (const type of [
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset="UTF8"',
    'application/cloudevents+json',
  ]) {
    expect([type, (await ask('POST', '/v1/notes', '{"content":"x"}', { 'content-type': type })).status]).toEqual([type, 201])
  }
  for (const type of [
    '',
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/jsonp',
    'application/json; charset=latin1',
    'text/json',
  ]) {
    expect([type, (await ask('POST', '/v1/notes', '{"content":"x"}', { 'content-type': type })).status]).toEqual([type, 415])
  }
  expect((await ask('POST', '/v1/notes', '{"content":"x"}', { 'content-encoding': 'gzip' })).status).toBe(415)
})

test('a write without a body is an empty one', async () => {
  expect((await ask('POST', '/v1/notes/search')).input).toEqual({})
  expect((await ask('POST', '/v1/notes/search', '')).input).toEqual({})
  expect((await ask('POST', '/v1/notes/search', '', { 'content-type': 'text/plain' })).input).toEqual({})
})

test('one byte more than the limit is too large, whatever Content-Length says', async () => {
  const body = (bytes: number) => `{"query":"${'x'.repeat(bytes - 12)}"}`
  expect((await ask('POST', '/v1/notes/search', body(1000))).status).toBe(200)
  for (const headers of [{}, { 'content-length': '1001' }, { 'content-length': '10' }]) {
    expect((await ask('POST', '/v1/notes/search', body(1001), headers)).json).toMatchObject({
      status: 413,
      code: 'too_large',
      maxBytes: 1000,
    })
  }
  expect((await ask('POST', '/v1/notes/search', `{"query":"${'é'.repeat(500)}"}`)).status).toBe(413)
})

const quiet = async (method: string, path: string, body?: string | Uint8Array<ArrayBuffer>) => {
  const { status, text } = await ask(method, path, body)
  expect([200, 201, 400, 404]).toContain(status)
  expect(text).not.toMatch(/\.ts:|node_modules|Error:/)
}

test('no JSON body is answered with a 500 or a stack', async () => {
  const fields = fc.record(
    { content: fc.jsonValue(), metadata: fc.jsonValue(), tags: fc.jsonValue(), about: fc.jsonValue() },
    { requiredKeys: [] },
  )
  const strings = fc.string({ unit: 'binary' })
  await fc.assert(
    fc.asyncProperty(fc.oneof(fields, fc.dictionary(strings, fc.jsonValue()), fc.jsonValue()), (body) =>
      quiet('POST', '/v1/notes', JSON.stringify(body)),
    ),
    { numRuns: 300, seed: 1 },
  )
})

test('no bytes are answered with a 500 or a stack', async () => {
  const broken = fc
    .tuple(fc.string({ unit: 'binary' }), fc.constantFrom('{"content":"', '{"metadata":{"', '{"__proto__":', ''))
    .map(([text, start]) => start + text)
  const bytes = fc.uint8Array({ maxLength: 200 }).map((each) => Uint8Array.from(each))
  await fc.assert(
    fc.asyncProperty(fc.oneof(broken, bytes), (body) => quiet('POST', '/v1/notes', body)),
    { numRuns: 300, seed: 2 },
  )
})

test('no path or query is answered with a 500 or a stack', async () => {
  const text = fc.string({ unit: fc.constantFrom(...'%/?&=+.abc0123456789#é\u0000[]_'), maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(text, (rest) => quiet('GET', `/v1/notes/a${rest}`)),
    { numRuns: 300, seed: 3 },
  )
})
