import { describe, expect, test } from 'vitest'
import { trails } from './trails.ts'

const edges = (...pairs: string[]) => pairs.map((pair) => ({ from: pair[0] as string, to: pair[1] as string }))
const all = { hops: 4, limit: 100 }
const found = (pairs: string[], given: ReturnType<typeof edges>, limits: Partial<typeof all> = {}) =>
  trails(
    pairs.map((pair) => [pair[0] as string, pair[1] as string] as const),
    given,
    { ...all, ...limits },
  )
const words = (result: { trails: string[][] }) => result.trails.map((trail) => trail.join(''))

describe('the ways between two nodes', () => {
  test('go along the edges and against them, shortest first, then in the order of their ids', () => {
    expect(words(found(['ad'], edges('ab', 'bd', 'dc', 'ca', 'bc', 'ae', 'ad')))).toEqual(['ad', 'abd', 'acd', 'abcd', 'acbd'])
  })

  test('are no longer than asked and pass no node twice', () => {
    const chain = edges('ab', 'bc', 'cd', 'de')
    expect(words(found(['ae'], chain))).toEqual(['abcde'])
    expect(found(['ae'], chain, { hops: 3 })).toEqual({ trails: [], cut: false })
    expect(words(found(['ac'], edges('ab', 'bb', 'bc', 'ab', 'ba')))).toEqual(['abc'])
  })

  test('are as many as asked, and a cut is told exactly', () => {
    const star = edges('ab', 'bz', 'ac', 'cz', 'ad', 'dz')
    expect(found(['az'], star, { limit: 2 })).toEqual({
      trails: [
        ['a', 'b', 'z'],
        ['a', 'c', 'z'],
      ],
      cut: true,
    })
    expect(found(['az'], star, { limit: 3 }).cut).toBe(false)
  })

  test('of several pairs are found together, the shortest of any first', () => {
    expect(words(found(['ac', 'xy'], edges('ab', 'bc', 'xy')))).toEqual(['xy', 'abc'])
    expect(found([], edges('ab'))).toEqual({ trails: [], cut: false })
    expect(found(['aq'], edges('ab'))).toEqual({ trails: [], cut: false })
  })

  test('end in a thicket, and it is told', () => {
    const nodes = Array.from({ length: 60 }, (_, i) => String.fromCodePoint(0x4e00 + i))
    const thicket = nodes.flatMap((a, i) => nodes.slice(i + 1).map((b) => ({ from: a, to: b })))
    const result = trails([[nodes[0] as string, nodes[59] as string]], thicket, { hops: 4, limit: 1_000_000 })
    expect(result.cut).toBe(true)
    expect(new Set(result.trails.map((trail) => trail.join())).size).toBe(result.trails.length)
  })
})
