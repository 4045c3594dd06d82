import { ModelError } from '@twofold/core/failures.ts'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { type Failure, providerServer } from '../fixture.ts'
import { makeEmbedder } from './make.ts'

const server = await providerServer()
const reach = { baseURL: server.url, apiKey: 'sk-hidden' }
const embedder = await makeEmbedder({ model: 'openai:test-embedding', dimensions: 64, ...reach })
const embed = (texts: string[], signal = new AbortController().signal) => embedder.embed(texts, { signal, priority: 'interactive' })
const cosine = (a?: Float32Array, b?: Float32Array) =>
  (a as Float32Array).reduce((sum, x, i) => sum + x * ((b as Float32Array)[i] as number), 0)

afterEach(() => {
  server.fail(null)
  vi.unstubAllEnvs()
})
afterAll(() => server.close())

test('gives unit vectors in the order asked, nearer where words are shared', async () => {
  const [a, b, c] = await embed(['Anna lives in Lisbon', 'Lisbon is where Anna works', 'the invoice is due'])
  expect(Math.hypot(...(a as Float32Array))).toBeCloseTo(1, 5)
  expect(cosine(a, b)).toBeGreaterThan(cosine(a, c))
  expect(embedder.model).toBe('openai:test-embedding')
})

test('asks nothing for no texts, and at most 96 texts at once', async () => {
  const before = { ...server.requests }
  expect(await embed([])).toEqual([])
  const texts = Array.from({ length: 200 }, (_, i) => `text ${i}`)
  const vectors = await embed(texts)
  expect(server.requests).toMatchObject({ embeddings: before.embeddings + 3, texts: before.texts + 200 })
  expect(vectors[150]).toEqual((await embed(['text 150']))[0])
})

test('sends a long text in pieces and gives the mean of them, without cutting a character in two', async () => {
  const before = server.requests.texts
  const [long, short] = await embed([`${'word '.repeat(1199)}word😀 ${'tail '.repeat(10)}`, 'word'])
  expect(server.requests.texts - before).toBe(3)
  expect(cosine(long, short)).toBeGreaterThan(0.9)
  const seen: string[] = []
  const listening = await makeEmbedder({
    ...reach,
    model: 'openai:test-embedding',
    dimensions: 64,
    fetch: (url, init) => {
      seen.push(...JSON.parse(String(init?.body)).input)
      return fetch(url, init)
    },
  })
  await listening.embed(['😀'.repeat(5_000).replace('😀', 'x😀')], { signal: new AbortController().signal, priority: 'background' })
  expect(seen.length).toBe(2)
  for (const piece of seen) expect(piece.isWellFormed()).toBe(true)
})

test.each<[Failure, string]>([
  ['unauthorized', 'embedding (HTTP 401) failed'],
  ['rate-limited', 'embedding (HTTP 429) failed'],
  ['server-error', 'embedding (HTTP 500) failed'],
  ['cut', 'embedding (no usable answer) failed'],
  ['malformed', 'embedding (HTTP 200) failed'],
  ['null-in-vector', 'embedding (HTTP 200) failed'],
  ['wrong-dimensions', 'embedding (65 dimensions instead of 64) failed'],
  ['wrong-count', 'embedding (no usable answer) failed'],
  ['zero-vector', 'embedding (not a vector) failed'],
])('tells of %s with a ModelError that asks once and quotes nothing', async (mode, message) => {
  server.fail(mode)
  const before = server.requests.embeddings
  const error = await embed(['a secret text', 'another']).catch((error) => error)
  expect(error).toBeInstanceOf(ModelError)
  expect(error).toMatchObject({ message, retryable: true, cause: undefined })
  expect(server.requests.embeddings).toBe(before + 1)
  server.fail(null)
  expect(await embed(['a secret text'])).toHaveLength(1)
})

test('gives up when its signal aborts, whether the provider hangs or is late', async () => {
  for (const mode of ['hang', { delayMs: 10_000 }] as const) {
    server.fail(mode)
    await expect(embed(['text'], AbortSignal.timeout(50))).rejects.toMatchObject({
      name: 'ModelError',
      step: 'embedding (no answer in time)',
    })
  }
  await expect(embed(['text'], AbortSignal.abort())).rejects.toBeInstanceOf(ModelError)
})

test('knows the dimensions of common models and asks for shorter vectors where they can be had', async () => {
  const small = await makeEmbedder({ model: 'openai:text-embedding-3-small', ...reach })
  expect(small.dimensions).toBe(1536)
  const shorter = await makeEmbedder({ model: 'openai:text-embedding-3-large', dimensions: 256, ...reach })
  const [vector] = await shorter.embed(['text'], { signal: new AbortController().signal, priority: 'interactive' })
  expect(vector).toHaveLength(256)
})

test('speaks to whatever is compatible with OpenAI', async () => {
  const compatible = await makeEmbedder({ model: 'openai-compatible:some/model:latest', dimensions: 64, ...reach })
  const [vector] = await compatible.embed(['Anna lives in Lisbon'], { signal: new AbortController().signal, priority: 'interactive' })
  expect(vector).toEqual((await embed(['Anna lives in Lisbon']))[0])
})

test('speaks to Amazon Bedrock with the credentials of the process, a text a call where a model takes no more', async () => {
  vi.stubEnv('AWS_REGION', 'eu-central-1')
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
  vi.stubEnv('AWS_SESSION_TOKEN', 'of the role')
  const signed = new Set<string | null>()
  const bedrock = await makeEmbedder({
    model: 'amazon-bedrock:amazon.titan-embed-text-v2:0',
    dimensions: 256,
    baseURL: server.url,
    fetch(url, init) {
      const headers = new Headers(init?.headers)
      signed.add(`${headers.get('authorization')?.split('/')[0]} ${headers.get('x-amz-security-token')}`)
      return fetch(url, init)
    },
  })
  const before = server.requests.embeddings
  const texts = Array.from({ length: 20 }, (_, i) => `text ${i}`)
  const vectors = await bedrock.embed(texts, { signal: new AbortController().signal, priority: 'background' })
  expect([server.requests.embeddings - before, [...signed]]).toEqual([20, ['AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE of the role']])
  expect(vectors.map((vector) => vector.length)).toEqual(texts.map(() => 256))
  const [seventh] = await bedrock.embed(['text 7'], { signal: new AbortController().signal, priority: 'interactive' })
  expect(vectors[7]).toEqual(seventh)
  server.fail('server-error')
  await expect(bedrock.embed(['text'], { signal: new AbortController().signal, priority: 'interactive' })).rejects.toMatchObject({
    message: 'embedding (HTTP 500) failed',
    retryable: true,
  })
})

test.each<[Parameters<typeof makeEmbedder>[0], string]>([
  [{ model: 'openai:unheard-of' }, 'How many dimensions openai:unheard-of answers is not known: set EMBEDDING_DIMENSIONS.'],
  [{ model: 'openai:unheard-of', dimensions: 4001 }, 'EMBEDDING_DIMENSIONS is 4001; allowed is at most 4000.'],
  [{ model: 'openai:text-embedding-ada-002', dimensions: 512 }, 'EMBEDDING_DIMENSIONS is 512; openai:text-embedding-ada-002 answers 1536.'],
  [{ model: 'unheardof:model', dimensions: 64 }, 'The provider unheardof needs the npm package @ai-sdk/unheardof, which is not installed.'],
  [{ model: 'openai-compatible:model', dimensions: 64 }, 'The provider openai-compatible needs a base URL: set OPENAI_BASE_URL.'],
  [{ model: 'nonsense' }, 'The model is "nonsense"; allowed is embedded, or provider:model such as openai:text-embedding-3-small.'],
])('refuses %j', async (options, message) => {
  await expect(makeEmbedder(options)).rejects.toThrow(message)
})
