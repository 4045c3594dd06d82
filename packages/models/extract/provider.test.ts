import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ModelError } from '@twofold/core/failures.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Failure, type ProviderServer, providerServer } from '../fixture.ts'
import { makeExtractor } from './make.ts'
import { providerExtractor } from './provider.ts'

const soon = () => AbortSignal.timeout(10_000)
const KEY = 'sk-test-secret'
const open = (baseURL: string, model = 'openai:gpt-test') => providerExtractor({ model, baseURL, apiKey: KEY })

describe('an extractor of a provider', () => {
  let server: ProviderServer
  beforeAll(async () => {
    server = await providerServer()
  })
  beforeEach(() => server.fail(null))
  afterAll(() => server.close())

  test.each(['openai:gpt-test', 'openai-compatible:any:8b'])(
    'finds entities and relations with %s, tagged with the model',
    async (model) => {
      const [found] = await (await open(server.url, model)).extract([{ text: 'yesterday Alice met Bob', known: [] }], { signal: soon() })
      expect(found?.entities).toEqual([
        { type: 'person', value: 'Alice', confidence: 0.9, source: model },
        { type: 'person', value: 'Bob', confidence: 0.9, source: model },
      ])
      expect(found?.relations).toEqual([
        { from: { type: 'person', value: 'Alice' }, type: 'knows', to: { type: 'person', value: 'Bob' }, confidence: 0.9 },
      ])
    },
  )

  test('answers many texts in their order, one call each, and none for a text without letters', async () => {
    const before = server.requests.responses
    const texts = ['Ada', 'Bea', '', 'Cleo', '12 😀', 'Dora', 'Eva'].map((text) => ({ text, known: [] }))
    const found = await (await open(server.url)).extract(texts, { signal: soon() })
    expect(found.map(({ entities }) => entities.map(({ value }) => value))).toEqual([['Ada'], ['Bea'], [], ['Cleo'], [], ['Dora'], ['Eva']])
    expect(server.requests.responses - before).toBe(5)
  })

  const failures: [Failure, string][] = [
    ['unauthorized', 'extraction (HTTP 401) failed'],
    ['rate-limited', 'extraction (HTTP 429) failed'],
    ['server-error', 'extraction (HTTP 500) failed'],
    ['malformed', 'extraction (HTTP 200) failed'],
    ['cut', 'extraction (no usable answer) failed'],
  ]
  test.each(failures)('says of %s what failed and nothing of the key or the text, and asks once', async (failure, message) => {
    server.fail(failure)
    const before = server.requests.responses
    const error = await (await open(server.url)).extract([{ text: 'Alice', known: [] }], { signal: soon() }).catch((e) => e)
    expect(error).toBeInstanceOf(ModelError)
    expect(error).toMatchObject({ message, retryable: true, store: 'model', cause: undefined })
    expect(server.requests.responses - before).toBe(1)
  })

  test('gives up when the signal aborts, however long the provider takes', async () => {
    server.fail('hang')
    const extractor = await open(server.url)
    await expect(extractor.extract([{ text: 'Alice', known: [] }], { signal: AbortSignal.timeout(50) })).rejects.toThrow(
      'extraction (no answer in time) failed',
    )
  })
})

describe('what a model answers', () => {
  /** A provider that answers one thing, whatever it is asked. */
  async function answering(answer: unknown) {
    let asked = ''
    const server = createServer(async (request, reply) => {
      for await (const chunk of request) asked += chunk
      const message = { role: 'assistant', content: typeof answer === 'string' ? answer : JSON.stringify(answer) }
      const body = { id: 'a', object: 'chat.completion', created: 0, model: 'm', choices: [{ index: 0, finish_reason: 'stop', message }] }
      reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const extractor = await open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, 'openai-compatible:m')
    return {
      extract: (text: string, known: string[] = []) => extractor.extract([{ text, known }], { signal: soon() }),
      asked: () => asked,
      close: () => server.close(),
    }
  }

  test('is kept only where it stands in the text, as it stands there, and within bounds', async () => {
    const person = { type: 'person', value: 'Ada Byron' }
    const provider = await answering({
      entities: [
        { type: 'Person', value: ' ada byron ', confidence: 7 },
        { type: 'company', value: 'Invented Inc', confidence: 1 },
        { type: '!!', value: 'Turin', confidence: 1 },
        { type: 'Research Project', value: 'C++ (new)', confidence: -1 },
        { type: 'place', value: '', confidence: 1 },
      ],
      relations: [
        { from: person, type: 'Lives in', to: { type: 'place', value: 'Turin' }, confidence: 0.5 },
        { from: person, type: 'owns', to: { type: 'company', value: 'Invented Inc' }, confidence: 1 },
      ],
    })
    const [found] = await provider.extract('Ada\nByron lives in Turin and writes C++ (new).', ['Ada "the" Countess'])
    provider.close()
    const source = 'openai-compatible:m'
    expect(found).toEqual({
      entities: [
        { type: 'person', value: 'Ada Byron', confidence: 1, source },
        { type: 'research_project', value: 'C++ (new)', confidence: 0, source },
      ],
      relations: [{ from: person, type: 'lives_in', to: { type: 'place', value: 'Turin' }, confidence: 0.5 }],
    })
    expect(provider.asked()).toContain('Countess')
  })

  test.each([
    ['no JSON', 'I would rather not'],
    ['another form', { people: ['Ada'] }],
    ['half of it', '{"entities": ['],
    ['nothing', ''],
  ])('is refused when it is %s', async (_, answer) => {
    const provider = await answering(answer)
    await expect(provider.extract('Ada')).rejects.toThrow('extraction (no usable answer) failed')
    provider.close()
  })
})

describe('making one', () => {
  test('names the npm package that is missing', async () => {
    await expect(makeExtractor({ model: 'nobody:x' })).rejects.toThrow(
      'The provider nobody needs the npm package @ai-sdk/nobody, which is not installed.',
    )
  })

  test('refuses a name that is no model', async () => {
    await expect(makeExtractor({ model: 'gpt' })).rejects.toThrow('The model is "gpt"; allowed is embedded, or provider:model')
  })
})
