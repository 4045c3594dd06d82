import { expect, test } from 'vitest'
import { countTokens, cutToTokens } from './tokens.ts'

test.each([
  ['', 0],
  ['hello', 1],
  ['Hello, world!', 4],
  ['The quick brown fox jumps over the lazy dog.', 10],
  ['a  b\n\n c', 5],
  ['antidisestablishmentarianism', 5],
  ['<|endoftext|>', 7],
  ['日本', 4],
])('%j has as many tokens as its encoding says: %i', (text, tokens) => {
  expect(countTokens(text)).toBe(tokens)
})

test('the parts of a text that is parted before white space count together what the whole counts', () => {
  const lines = ['- [0192f0c1-2a3b-7c4d-8e5f-60718293a4b5] 2026-05-01 Met Anna', '\n- done', '\n\n# Next', ' 🎉 and   more', '\n\t\tcode()']
  expect(lines.reduce((sum, line) => sum + countTokens(line), 0)).toBe(countTokens(lines.join('')))
})

test('a text is cut after the last word that fits', () => {
  const text = 'The quick brown fox jumps over the lazy dog.'
  expect(cutToTokens(text, 3)).toEqual({ text: 'The quick brown', tokens: 3 })
  expect(cutToTokens(text, 10)).toEqual({ text, tokens: 10 })
  expect(cutToTokens(text, 1000)).toEqual({ text, tokens: 10 })
  expect(cutToTokens(text, 0)).toEqual({ text: '', tokens: 0 })
  for (let most = 0; most < 12; most++) {
    const cut = cutToTokens(text, most)
    expect(cut.tokens).toBeLessThanOrEqual(most)
    expect(countTokens(cut.text)).toBe(cut.tokens)
    expect(text.startsWith(cut.text)).toBe(true)
  }
})

test('a text without spaces is cut all the same, between characters', () => {
  const text = '漢字🎉'.repeat(1000)
  const cut = cutToTokens(text, 500)
  expect(cut.tokens).toBeGreaterThan(250)
  expect(cut.tokens).toBeLessThanOrEqual(500)
  expect(text.startsWith(cut.text)).toBe(true)
  expect(cut.text.isWellFormed()).toBe(true)
})

test('a hundred thousand letters in a row are counted in linear time', () => {
  for (const text of ['a'.repeat(100_000), ' '.repeat(100_000), '漢'.repeat(100_000), '\ud800'.repeat(1000)])
    expect(countTokens(text)).toBeGreaterThan(0)
})
