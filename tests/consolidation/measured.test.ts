import { ALIKE, type Candidate, sayTheSame } from '@twofold/core/consolidation/candidate.ts'
import { makeEmbedder } from '@twofold/models/embed/make.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { DIFFERENT, SAME } from './pairs.ts'

const embedder = await makeEmbedder({ model: 'embedded' })
afterAll(() => embedder.close())

const texts = [...new Set([DIFFERENT, SAME].flat(2))]
const made = await embedder.embed(texts, { signal: AbortSignal.timeout(60_000), priority: 'background' })
const vectors = new Map(texts.map((text, i) => [text, made[i] as Float32Array]))
const similarity = (a: string, b: string): number => {
  const right = vectors.get(b) as Float32Array
  return (vectors.get(a) as Float32Array).reduce((sum, x, i) => sum + x * (right[i] as number), 0)
}

const candidate = (text: string): Candidate => ({
  ...{ id: text, version: 1, key: null, kind: 'note', speaker: null, text, long: false, fields: '', apart: '', importance: 5 },
  ...{ at: '2026-03-01T12:00:00.000Z', expiresAt: null, says: null },
})
const one = ([a, b]: readonly [string, string]) => sayTheSame(candidate(a), candidate(b), similarity(a, b))

/** With the vectors of the embedded model. */
describe('merging by meaning', () => {
  test('takes no two things for one', () => {
    expect(DIFFERENT.filter(one)).toEqual([])
  })

  test('a vector alone would', () => {
    expect(DIFFERENT.filter(([a, b]) => similarity(a, b) >= ALIKE).length).toBeGreaterThan(DIFFERENT.length / 2)
  })

  test('takes for one what differs only in words that carry nothing', () => {
    expect(SAME.filter((pair) => !one(pair))).toEqual([])
  })
})
