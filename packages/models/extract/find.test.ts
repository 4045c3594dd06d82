import { EntityInput, RelationInput } from '@twofold/core/entities/input.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { find } from './find.ts'
import { BUSINESS, CHAT, PARTICIPANTS } from './labelled.ts'

const named = (text: string, known: string[] = []) => find(text, known).entities.map(({ type, value }) => `${type}: ${value}`)
const related = (text: string) => find(text).relations.map(({ from, type, to }) => `${from.value} ${type} ${to.value}`)

const MARK = /\[(\p{Ll}+) ([^\]]+)\]/gu

/** F1 by type, in percent, over the names of all lines. */
function scores(labelled: string): Record<string, number> {
  const counts: Record<string, { right: number; wrong: number }> = {}
  for (const line of labelled.trim().split('\n')) {
    const wanted = new Set([...line.matchAll(MARK)].map(([, type, value]) => `${type}: ${value}`))
    const found = new Set(named(line.replace(MARK, '$2'), PARTICIPANTS))
    for (const name of wanted.union(found)) {
      const type = name.split(':')[0] as string
      counts[type] ??= { right: 0, wrong: 0 }
      counts[type][wanted.has(name) && found.has(name) ? 'right' : 'wrong'] += 1
    }
  }
  return Object.fromEntries(
    Object.entries(counts).map(([type, { right, wrong }]) => [type, Math.round((200 * right) / (2 * right + wrong))]),
  )
}

describe('how much is found', () => {
  test('of thirty turns of a chat', () => {
    const { person, organization, place, date, event } = scores(CHAT)
    expect(person).toBeGreaterThanOrEqual(95)
    expect(organization).toBeGreaterThanOrEqual(95)
    expect(place).toBeGreaterThanOrEqual(95)
    expect(date).toBeGreaterThanOrEqual(95)
    expect(event).toBeGreaterThanOrEqual(95)
  })

  test('of twelve sentences from business', () => {
    const { person, organization, place, date } = scores(BUSINESS)
    expect(person).toBeGreaterThanOrEqual(95)
    expect(organization).toBeGreaterThanOrEqual(85)
    expect(place).toBeGreaterThanOrEqual(95)
    expect(date).toBeGreaterThanOrEqual(95)
  })
})

describe('what is found', () => {
  test('is the person, the organization and the place of a plain sentence', () => {
    expect(named('Met John Smith from Acme Corporation in Berlin about the launch.')).toEqual([
      'person: John Smith',
      'organization: Acme Corporation',
      'place: Berlin',
    ])
    expect(named('Meeting with John about Q4 roadmap')).toContain('person: John')
  })

  test('is written as in the text, without the possessive, once, and lies between 0 and 1', () => {
    const { entities } = find('Anna’s car is red. Anna has two cars, ANNA says. Was it Anna?')
    expect(entities).toEqual([{ type: 'person', value: 'Anna', confidence: 0.8, source: 'embedded' }])
  })

  test('includes names that only those who talk know, and their first names', () => {
    expect(named('then Xylo met 山田太郎 and Zorbla', ['Xylo Quux', '山田太郎', 'Zorbla'])).toEqual([
      'person: Xylo',
      'person: 山田太郎',
      'person: Zorbla',
    ])
  })

  test('knows a place from a person of that name, and a person from a month', () => {
    expect(named('We flew to Berlin.', ['Berlin'])).toEqual(['place: Berlin'])
    expect(named('Then April laughed.', ['April'])).toContain('person: April')
    expect(named('Acme Corporation paid.', ['Acme Corporation'])).toEqual(['organization: Acme Corporation'])
  })

  test('includes no known name that the text does not hold, nor one inside a longer word', () => {
    expect(named('nothing about her but Annapolis-like annals', ['Ann', 'Bob'])).not.toContain('person: Ann')
    expect(named('nothing here', ['Bob'])).toEqual([])
  })

  test('has one type in one text', () => {
    expect(named('We visited Kestrel Labs. Then Kestrel Labs called.')).toEqual(['organization: Kestrel Labs'])
  })

  test('is nothing where a capital only begins a sentence, shouts or greets', () => {
    for (const text of [
      'Great. Running is fun! Thanks, see you.',
      'THIS IS SO LOUD AND WRONG',
      'OK, I’m on TV tomorrow. Wow!',
      'Grandma and Mom love it.',
    ])
      expect(named(text), text).toEqual([])
  })

  test('keeps a number that belongs to a name out of the dates, and a month out of the people', () => {
    expect(named('We spoke at PyCon 2025 before August is over.')).toEqual(['event: PyCon 2025', 'date: August'])
    expect(named('August is tight.')).not.toContain('person: August')
    expect(named('Project Halcyon is approved.')).toEqual(['project: Project Halcyon'])
  })

  test('leaves out dates that say nothing later', () => {
    expect(named('see you tomorrow, or next week, or right now')).toEqual([])
    expect(named('from March 2024 to 3 May 2025')).toEqual(['date: March 2024', 'date: 3 May 2025'])
  })
})

describe('relations', () => {
  test.each([
    ['Chloe works at Acme Corporation.', 'Chloe works_at Acme Corporation'],
    ['Chloe Martin lives in Toronto.', 'Chloe Martin lives_in Toronto'],
    ['Chloe Martin, CEO of Kestrel Labs, smiled.', 'Chloe Martin ceo_of Kestrel Labs'],
    ['Chloe is the founder of Kestrel Labs.', 'Chloe founder_of Kestrel Labs'],
    ['I saw Chloe’s brother Peter.', 'Peter brother_of Chloe'],
    ['Chloe is married to Peter.', 'Chloe married_to Peter'],
    ['Chloe from Acme Corporation called.', 'Chloe affiliated_with Acme Corporation'],
    ['Kestrel Labs is based in Toronto.', 'Kestrel Labs located_in Toronto'],
  ])('of "%s" are found', (text, relation) => {
    expect(related(text)).toEqual([relation])
  })

  test.each([
    'Chloe never works at Acme Corporation.',
    'Does Chloe work at Acme Corporation?',
    'Chloe lives well. In Toronto it rains.',
    'Chloe or Peter',
  ])('of "%s" are none', (text) => {
    expect(related(text)).toEqual([])
  })
})

describe('odd text', () => {
  const odd = [
    '',
    ' \n\t ',
    '😀😀',
    '\ud800 John \udc00 Smith \u0000 met Ann\u0007a',
    'a'.repeat(8_000),
    'A'.repeat(8_000),
    'John '.repeat(1_600),
    'Of The Of The '.repeat(500),
    '& . - '.repeat(1_000),
    'مرحبا بكم في القاهرة يا أحمد',
    '東京で田中さんに会いました。',
    '{"name": "John", "__proto__": {"toString": "constructor"}}',
    'constructor Constructor __proto__ ToString hasOwnProperty',
    'http://a.b/'.repeat(700),
    '12/12/2024 99/99/9999 0000-00-00 May may MAY',
  ]
  test.each(odd.map((text) => [text.slice(0, 20), text]))('%j finds only what an entity may be', (_, text) => valid(text))

  test('of any letters, marks and names finds only what an entity may be', () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom('John', 'Smith’s', 'Acme', 'Inc.', 'of', 'in', 'Berlin', 'May', '\n', '3', '&', '-', '.', '"', 'is', 'Dr.', 'the'),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 25 }), fc.array(fc.string({ maxLength: 5 }), { maxLength: 3 }), (parts, known) => {
        valid(parts.join(' '), known)
      }),
      { numRuns: 300, seed: 7 },
    )
  })

  function valid(text: string, known: string[] = []) {
    const { entities, relations } = find(text, known)
    for (const entity of entities) {
      expect(EntityInput.parse(entity)).toEqual(entity)
      expect(entity.value.trim()).toBe(entity.value)
    }
    for (const relation of relations) RelationInput.parse(relation)
  }
})
