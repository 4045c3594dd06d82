import { ModelError } from '@twofold/core/failures.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { embeddedExtractor } from './embedded.ts'

const soon = () => AbortSignal.timeout(20_000)

describe('the embedded extractor', () => {
  const extractor = embeddedExtractor()
  afterAll(() => extractor.close())

  test('answers each text in its order, knowing the names that came with it', async () => {
    const texts = [
      { text: 'Met John Smith from Acme Corporation in Berlin.', known: [] },
      { text: '', known: ['Ada'] },
      { text: 'tuki fixed the roof', known: ['Tuki'] },
      { text: 'Yesterday Zorblax fixed the roof', known: ['Zorblax'] },
    ]
    const found = await extractor.extract(texts, { signal: soon() })
    expect(found.map(({ entities }) => entities.map(({ type, value }) => `${type}: ${value}`))).toEqual([
      ['person: John Smith', 'organization: Acme Corporation', 'place: Berlin'],
      [],
      [],
      ['person: Zorblax'],
    ])
    expect(found[0]?.entities[0]).toEqual({ type: 'person', value: 'John Smith', confidence: 0.9, source: 'embedded' })
  })

  test('lets the event loop go on while it reads', async () => {
    const long = 'Met John Smith from Acme Corporation in Berlin about the launch. '.repeat(200)
    let turns = 0
    const counting = setInterval(() => turns++, 1)
    await extractor.extract([{ text: long, known: [] }], { signal: soon() })
    clearInterval(counting)
    expect(turns).toBeGreaterThan(5)
  })

  test('gives up when the signal aborts, and answers the next text', async () => {
    const giveUp = new AbortController()
    const given = extractor.extract([{ text: 'Met John Smith.', known: [] }], { signal: giveUp.signal })
    giveUp.abort()
    await expect(given).rejects.toThrow(ModelError)
    await expect(extractor.extract([{ text: 'Met Ada.', known: [] }], { signal: giveUp.signal })).rejects.toThrow(ModelError)
    const [found] = await extractor.extract([{ text: 'Met John Smith.', known: [] }], { signal: soon() })
    expect(found?.entities).toHaveLength(1)
  })
})

test('an extractor that was closed refuses with a ModelError', async () => {
  const extractor = embeddedExtractor()
  await extractor.close()
  await expect(extractor.extract([{ text: 'Met Ada.', known: [] }], { signal: soon() })).rejects.toThrow(ModelError)
})
