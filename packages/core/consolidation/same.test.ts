import { describe, expect, test } from 'vitest'
import { DIFFERENT, SAME } from '../../../tests/consolidation/pairs.ts'
import { figures, likeness, plain } from './same.ts'

describe('the text without what is only how it is written', () => {
  test.each([
    ['Alice lives in Paris', ' alice  LIVES in\tparis. '],
    ['Wait', 'wait…'],
    ['“No”', '"no"!'],
    ['Café', 'café'],
  ])('%j is %j', (a, b) => {
    expect(plain(a)).toBe(plain(b))
  })

  test.each([
    ['Alice lives in Paris', 'Alice lives in Paris?'],
    ['10²', '102'],
    ['C', 'C#'],
    ['1.5', '15'],
    ['...', ''],
  ])('%j is not %j', (a, b) => {
    expect(plain(a)).not.toBe(plain(b))
  })
})

describe('how alike two texts are', () => {
  test.each(SAME)('%j and %j are one', (a, b) => {
    expect(likeness(a, b)).not.toBe('different')
    expect(likeness(b, a)).toBe(likeness(a, b))
  })

  test.each(DIFFERENT)('%j and %j are two', (a, b) => {
    expect(likeness(a, b)).toBe('different')
    expect(likeness(b, a)).toBe('different')
  })
})

test('the numbers of a text are the same whether they are written out or not', () => {
  expect(figures('Three cats and 12.5 dogs')).toBe(figures('3 cats, 12.5 dogs'))
  expect(figures('at 3')).not.toBe(figures('at 4'))
})
