import type { Refusal } from '@twofold/operation/refusal.ts'
import { describe, expect, test } from 'vitest'
import { EntityType } from './entity.ts'
import { EntityInput, RelationInput } from './input.ts'
import { MAX_ENTITIES, mentionsOf, merge, normalize } from './mentions.ts'

const found = (type: string, value: string) => ({ type, value, normalized: normalize(value), confidence: 0.8, source: 'embedded' })

describe('the normalized name', () => {
  test.each([
    ['John  Smith', 'john_smith'],
    ['  john-smith. ', 'john_smith'],
    ['ＪＯＨＮ Smith', 'john_smith'],
    ['O’Brien & Sons', 'o_brien_sons'],
    ['Müller', 'müller'],
    ['Mu\u0308ller', 'müller'],
    ['東京', '東京'],
    ['دبي', 'دبي'],
    ['C++', 'c++'],
    ['C#', 'c#'],
    ['🎉', '🎉'],
    ['?!', '?!'],
  ])('of %s is %s', (value, normalized) => expect(normalize(value)).toBe(normalized))

  test('of a long value fits into an index and still tells two of them apart', () => {
    const [a, b] = [normalize(`${'ﷺ'.repeat(499)}a`), normalize(`${'ﷺ'.repeat(499)}b`)]
    expect(Buffer.byteLength(a)).toBeLessThanOrEqual(1000)
    expect(a).not.toBe(b)
  })
})

test('requests with bad entities are refused', () => {
  for (const type of ['', 'Person', 'a'.repeat(41), 'a-b']) expect(EntityType.safeParse(type).success).toBe(false)
  for (const value of ['', '  ', 'a\u0000b', 'a\nb', '\ud800', 'a'.repeat(501)])
    expect(EntityInput.safeParse({ type: 'person', value }).success).toBe(false)
  expect(EntityInput.safeParse({ type: 'person', value: 'Ada', confidence: 1.1 }).success).toBe(false)
  expect(EntityInput.safeParse({ type: 'person', value: 'Ada', more: 1 }).success).toBe(false)
  expect(RelationInput.safeParse({ from: 'Ada', type: 'a\u0007', to: 'Acme' }).success).toBe(false)
})

test('an answered entity can be sent back as it is', () => {
  const entity = { type: 'person', value: 'Ada', normalized: 'ada', confidence: 0.5, source: 'body' }
  expect(mentionsOf([EntityInput.parse(entity)]).entities).toEqual([entity])
})

test('a bare end of a relation is the entity of that name, and an unknown end becomes an entity', () => {
  const { entities, relations } = mentionsOf([{ type: 'person', value: 'Ada' }], [{ from: 'ADA', type: 'works at', to: 'Acme' }])
  expect(relations).toEqual([
    { from: { type: 'person', value: 'Ada' }, type: 'works at', to: { type: 'other', value: 'Acme' }, confidence: 1 },
  ])
  expect(entities.map((e) => [e.type, e.value])).toEqual([
    ['person', 'Ada'],
    ['other', 'Acme'],
  ])
})

test('doubles are joined, the first one stays', () => {
  const { entities, relations } = mentionsOf(
    [
      { type: 'person', value: 'Ada' },
      { type: 'person', value: 'ada!', confidence: 0.1 },
      { type: 'place', value: 'Ada' },
    ],
    [
      { from: 'Ada', type: 'knows', to: 'Bo' },
      { from: { type: 'person', value: 'ADA' }, type: 'knows', to: 'bo' },
    ],
  )
  expect(entities.map((e) => [e.type, e.value, e.confidence])).toEqual([
    ['person', 'Ada', 1],
    ['place', 'Ada', 1],
    ['other', 'Bo', 1],
  ])
  expect(relations).toHaveLength(1)
})

test('ends that bring the entities above the cap are refused by the name of the field', () => {
  const relations = Array.from({ length: MAX_ENTITIES }, (_, i) => ({ from: 'Ada', type: 'knows', to: `Friend ${i}` }))
  expect(() => mentionsOf([], relations)).toThrow(
    expect.objectContaining({ code: 'invalid', details: { errors: [expect.objectContaining({ path: 'relations' })] } }) as Refusal,
  )
})

test("the caller's type and spelling win over what a model found", () => {
  const mine = mentionsOf([{ type: 'project', value: 'Apollo' }])
  const edge = { from: { type: 'person', value: 'Ada' }, type: 'works_on', to: { type: 'organization', value: 'APOLLO' }, confidence: 0.7 }
  const all = merge(mine, { entities: [found('organization', 'APOLLO'), found('person', 'Ada')], relations: [edge] })
  expect(all.entities.map((e) => [e.type, e.value, e.source])).toEqual([
    ['project', 'Apollo', 'caller'],
    ['person', 'Ada', 'embedded'],
  ])
  expect(all.relations).toEqual([{ ...edge, to: { type: 'project', value: 'APOLLO' } }])
})

test('what is found beyond the cap is left out together with its relations', () => {
  const many = Array.from({ length: MAX_ENTITIES }, (_, i) => ({ type: 'topic', value: `Topic ${i}` }))
  const edge = { from: { type: 'topic', value: 'Topic 1' }, type: 'about', to: { type: 'person', value: 'Ada' }, confidence: 1 }
  const all = merge(mentionsOf(many), { entities: [found('person', 'Ada')], relations: [edge] })
  expect(all.entities).toHaveLength(MAX_ENTITIES)
  expect(all.relations).toEqual([])
})
