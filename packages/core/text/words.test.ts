import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lengthOf, queryTerms, terms } from './words.ts'

const finds = (query: string, text: string) => {
  const stored = new Set(terms(text).map(({ term }) => term))
  const asked = queryTerms(query)
  return asked.length > 0 && asked.every((term) => stored.has(term))
}

describe('what a query finds', () => {
  test.each([
    ['turin', 'Ada moved to Turin.'],
    ['museums', 'The museum was closed.'],
    ['running shoes', 'She runs in old shoes'],
    ['user_id', 'the column user_id is unique'],
    ['user id', 'call getUserId first'],
    ['userId', 'the column user_id is unique'],
    ['email', 'send an e-mail'],
    ['foo', 'foo-bar'],
    ['v1.2.3', 'released v1.2.3 today'],
    ['ada@example.com', 'write to Ada@Example.com.'],
    ['example.com', 'write to ada@example.com'],
    ['C++', 'written in C++, not C'],
    ['C#', 'ported to C#'],
    ["O'Brien", 'Mrs O’Brien called'],
    ['caroline', "Caroline's sister"],
    ['jose', 'José said no'],
    ['José', 'Jose\u0301 said no'],
    ['strasse', 'Unter der STRAẞE'],
    ['ｆｕｌｌ', 'full width'],
    ['הקפה', 'שתינו את הקפה בבוקר'],
    ['مرحبا', 'قالت مرحبًا للجميع'],
    ['می‌خواهم', 'من می‌خواهم بروم'],
    ['हिन्दी', 'मैं हिन्दी बोलता हूँ'],
    ['東京', '昨日東京に行きました'],
    ['猫', '黒猫です'],
    ['서울', '우리는 서울에서 만났다'],
    ['ครับ', 'สวัสดีครับ'],
    ['🎉', 'we won 🎉🎉'],
    ['👩🏽‍💻', 'she is a 👩🏽‍💻'],
    ['💻', 'she is a 👩🏽‍💻'],
    ['❤', 'I ❤️ it'],
    ['🇮🇹', 'to 🇮🇹 by train'],
    ['to be or not to be', 'To be, or not to be'],
  ])('%s is found in: %s', (query, text) => expect(finds(query, text)).toBe(true))

  test.each([
    ['hi', 'his car'],
    ['v1.2.3', 'v1.2 and v3'],
    ['🎉', '🎂'],
    ['京東', '東京'],
    ['C++', 'C'],
  ])('%s is not found in: %s', (query, text) => expect(finds(query, text)).toBe(false))

  test('a text without letters, digits or symbols has no terms', () => expect(terms(' \n—…!? ')).toEqual([]))
})

test('terms are unique signed 32-bit integers in ascending order, with counts that add up to the length', () => {
  const found = terms('to be or not to be')
  expect(found.map(({ count }) => count).sort()).toEqual([1, 1, 2, 2])
  expect(lengthOf(found)).toBe(6)
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const all = terms(text).map(({ term }) => term)
      expect(all).toEqual([...new Set(all)].sort((a, b) => a - b))
      for (const term of all) expect(term).toBe(term | 0)
    }),
  )
})

test('the hash of a word never changes without a new tokenizer number, because rows hold it', () => {
  expect(terms('Turin 東 🎉')).toMatchInlineSnapshot(`
    [
      {
        "count": 1,
        "term": -1702117431,
      },
      {
        "count": 1,
        "term": -1008091618,
      },
      {
        "count": 1,
        "term": 1436932977,
      },
    ]
  `)
})

test('queries leave out the commonest English words, unless there are no others', () => {
  expect(queryTerms('where is the museum')).toEqual(queryTerms('museum'))
  expect(queryTerms('what is it')).toHaveLength(3)
})

test('a text of 100,000 characters keeps the words at its end, in any script', () => {
  for (const filler of ['word ', 'a', '漢字', 'a.', 'a\u0301\u0316\u0301', '👩‍💻', '\u200d\u0301'])
    expect(finds('xylophone', `${filler.repeat(100_000 / filler.length).slice(0, 99_980)} xylophone`)).toBe(true)
  expect(terms(`a${'\u0301\u0316'.repeat(50_000)}`).length).toBeGreaterThan(0)
})
