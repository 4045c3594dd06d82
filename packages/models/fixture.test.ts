import { generateText, Output } from 'ai'
import { afterAll, expect, test, vi } from 'vitest'
import * as z from 'zod-own'
import { providerServer } from './fixture.ts'
import { openProvider } from './provider.ts'

const server = await providerServer()
afterAll(() => server.close())

const entity = z.object({ type: z.string(), value: z.string() })
const schema = z.object({
  entities: z.array(entity.extend({ confidence: z.number() })),
  relations: z.array(z.object({ from: entity, type: z.string(), to: entity, confidence: z.number() })),
})

test.each([
  ['openai', 'responses'],
  ['openai-compatible', 'chat'],
  ['amazon-bedrock', 'converse'],
] as const)('answers structured output to the provider %s', async (name, counted) => {
  vi.stubEnv('AWS_REGION', 'eu-central-1')
  const opened = await openProvider(name, { baseURL: server.url, apiKey: 'test' })
  const { output } = await generateText({
    model: (await opened()).languageModel('test-language'),
    system: 'Name the people.',
    prompt: 'last week Anna met Ben',
    output: Output.object({ schema }),
    maxRetries: 0,
  })
  expect(output.entities).toEqual([
    { type: 'person', value: 'Anna', confidence: 0.9 },
    { type: 'person', value: 'Ben', confidence: 0.9 },
  ])
  expect(output.relations).toEqual([
    { from: { type: 'person', value: 'Anna' }, type: 'knows', to: { type: 'person', value: 'Ben' }, confidence: 0.9 },
  ])
  expect(server.requests[counted]).toBe(1)
})
