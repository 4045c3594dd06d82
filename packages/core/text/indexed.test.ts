import { expect, test } from 'vitest'
import { contentOf, indexedText, MAX_CONTENT } from './indexed.ts'

test('who said it and when stand before the text, as far as they are known', () => {
  const occurredAt = new Date('2023-05-08T13:56:00Z')
  expect(indexedText({ content: 'Hello', speaker: 'Ada', occurredAt })).toBe('Ada (8 May 2023): Hello')
  expect(indexedText({ content: 'Hello', speaker: 'Ada' })).toBe('Ada: Hello')
  expect(indexedText({ content: 'Hello', occurredAt })).toBe('Hello')
})

test.each([
  [{ name: 'Ada', address: { city: 'Turin' } }, 'name: Ada; address.city: Turin'],
  [{ tags: ['a', 'b'], items: [{ n: 1 }, { n: 2 }] }, 'tags: a, b; items.1.n: 1; items.2.n: 2'],
  ['plain', 'plain'],
  [42, '42'],
  [false, 'false'],
  [null, 'null'],
  [{}, '{}'],
  [[['x'], 'y'], '1: x; 2: y'],
])('%j becomes the text "%s"', (value, text) => expect(contentOf(value)).toBe(text))

test('a huge value becomes a text of at most 100,000 characters that does not end in half a character', () => {
  expect(contentOf(`x${'🎉'.repeat(60_000)}`)).toBe(`x${'🎉'.repeat(49_999)}`)
  const rows = Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`key${i}`, i]))
  expect(contentOf(rows)).toHaveLength(MAX_CONTENT)
})
