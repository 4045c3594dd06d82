import { expect, test } from 'vitest'
import { firstOf, MOST_BYTES } from './page.ts'

const half = 'x'.repeat(MOST_BYTES / 2)

test('a page has as many rows as it was asked for, and says whether there are more', () => {
  expect(firstOf([1, 2, 3], 3)).toEqual({ rows: [1, 2, 3], more: false })
  expect(firstOf([1, 2, 3], 2)).toEqual({ rows: [1, 2], more: true })
  expect(firstOf([], 2)).toEqual({ rows: [], more: false })
})

test('a page ends where it is large enough, and the next begins there', () => {
  expect(firstOf([half, half, half, half], 4)).toEqual({ rows: [half, half], more: true })
  expect(firstOf([half, half], 4)).toEqual({ rows: [half, half], more: false })
})

test('a page has one row at least, however large', () => {
  expect(firstOf([half + half + half, 'a'], 2)).toEqual({ rows: [half + half + half], more: true })
})

test('what counts is bytes', () => {
  expect(firstOf(Array(3).fill('👋'.repeat(MOST_BYTES / 4)), 3).rows).toHaveLength(1)
})
