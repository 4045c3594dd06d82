import { ModelError } from '@twofold/core/failures.ts'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { type Failure, providerServer } from '../fixture.ts'
import { makeLanguage } from './make.ts'
import { providerLanguage } from './provider.ts'

const server = await providerServer()
const soon = () => AbortSignal.timeout(10_000)
const open = (model = 'openai:gpt-test') => providerLanguage({ model, baseURL: server.url, apiKey: 'sk-test-secret' })
const text = (number: number, text: string) => ({ number, text, speaker: null, at: null })

afterEach(() => {
  vi.unstubAllEnvs()
  server.fail(null)
  server.say(null)
})
afterAll(() => server.close())

test.each(['openai:gpt-test', 'openai-compatible:any:8b', 'amazon-bedrock:eu.amazon.nova-lite-v1:0'])(
  'asks %s which texts are one',
  async (model) => {
    vi.stubEnv('AWS_REGION', 'eu-central-1')
    let asked: any
    server.say((question) => {
      asked = question
      return { groups: [{ keep: 2, merge: [1], reason: 'contradiction' }] }
    })
    const language = await open(model)
    const texts = [{ ...text(1, 'lives in Rome'), speaker: 'Alice', at: '2025-01-01T00:00:00.000Z' }, text(2, 'has moved to Paris')]
    expect([language.model, await language.judge(texts, { signal: soon() })]).toEqual([
      model,
      [{ keep: 2, merge: [1], reason: 'contradiction' }],
    ])
    expect(asked.texts).toEqual([
      { number: 1, text: 'lives in Rome', speaker: 'Alice', at: '2025-01-01T00:00:00.000Z' },
      { number: 2, text: 'has moved to Paris' },
    ])
  },
)

test('asks what is worth knowing of messages beside what is known', async () => {
  const language = await open()
  const facts = await language.infer([text(1, 'I like tea'), text(2, 'I like chess')], [text(1, 'I like chess')], { signal: soon() })
  expect(facts).toEqual([
    { message: 1, text: 'I like tea', event: 'add', known: null },
    { message: 2, text: 'I like chess', event: 'same', known: 1 },
  ])
})

test('sends no more of long texts than a model can read', async () => {
  let asked: any
  server.say((question) => {
    asked = question
    return { facts: [] }
  })
  await (await open()).infer([text(1, 'x'.repeat(99_999)), text(2, `${'x'.repeat(3999)}😀`)], [], { signal: soon() })
  expect(asked.messages.map((message: any) => message.text.length)).toEqual([4000, 4000])
  expect(asked.messages[1].text.isWellFormed()).toBe(true)
})

describe('a model that fails', () => {
  test.each<[Failure, string]>([
    ['unauthorized', 'inference (HTTP 401) failed'],
    ['rate-limited', 'inference (HTTP 429) failed'],
    ['server-error', 'inference (HTTP 500) failed'],
    ['cut', 'inference (no usable answer) failed'],
  ])('says of %s what failed and nothing of the key or the text, and is asked once', async (failure, message) => {
    server.fail(failure)
    const before = server.requests.responses
    const error = await (await open()).infer([text(1, 'a secret')], [], { signal: soon() }).catch((e) => e)
    expect(error).toBeInstanceOf(ModelError)
    expect(error).toMatchObject({ message, retryable: true, cause: undefined })
    expect(server.requests.responses).toBe(before + 1)
  })

  test.each([
    ['no JSON', 'I would rather not'],
    ['another form', { groups: [{ keep: 'the first' }] }],
    ['half of it', '{"groups": ['],
    ['nothing', ''],
  ])('is refused when it answers %s', async (_, answer) => {
    server.say(() => answer)
    await expect((await open()).judge([text(1, 'a'), text(2, 'b')], { signal: soon() })).rejects.toThrow(
      'consolidation (no usable answer) failed',
    )
  })

  test('is given up when the signal aborts', async () => {
    server.fail('hang')
    await expect((await open()).judge([text(1, 'a')], { signal: AbortSignal.timeout(50) })).rejects.toThrow('no answer in time')
  })
})

test('there is none of the name embedded', async () => {
  expect(await makeLanguage({ model: 'embedded' })).toBeNull()
})
