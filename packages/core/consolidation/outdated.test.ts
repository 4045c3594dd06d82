import { expect, test } from 'vitest'
import type { Candidate } from './candidate.ts'
import { outdated } from './outdated.ts'

let made = 0
const stated = (text: string, says: [string, string, string] | null, given: Partial<Candidate> = {}): Candidate => ({
  ...{ id: String(++made).padStart(4, '0'), version: 1, key: null, kind: 'note', speaker: null, text, long: false, fields: '', apart: '' },
  ...{ importance: 5, at: `2026-01-01T00:00:00.${String(made % 1000).padStart(3, '0')}Z`, expiresAt: null },
  ...{ says: says && { from: says[0], type: says[1], to: says[2] }, ...given },
})
/** Every two of them, as the database brings those that say different things of one. */
const between = (...all: Candidate[]) =>
  outdated(
    all,
    all.flatMap((a) => all.flatMap((b) => (a === b ? [] : [{ a: a.id, b: b.id }]))),
  )

const rome = () => stated('Alice lives in Rome.', ['Alice', 'lives_in', 'Rome'])
const paris = (given?: Partial<Candidate>) => stated('Alice has moved to Paris', ['Alice', 'lives_in', 'Paris'], given)

test('what is true of one thing at a time is outdated by a later change', () => {
  const [before, after] = [rome(), paris()]
  expect(between(after, before)).toEqual([{ kept: after.id, merged: [before.id], reason: 'contradiction' }])
})

test('the latest of several changes outdates all before it', () => {
  const [one, two, three] = [rome(), paris(), stated('Alice now lives in Lyon', ['Alice', 'lives_in', 'Lyon'])]
  expect(between(one, two, three)).toEqual([{ kept: three.id, merged: [one.id, two.id], reason: 'contradiction' }])
})

test.each<[string, () => Candidate[]]>([
  ['nothing says that it changed', () => [rome(), stated('Alice lives in Italy', ['Alice', 'lives_in', 'Italy'])]],
  ['the earlier one says more', () => [stated('Alice lives in Rome with her dog', ['Alice', 'lives_in', 'Rome']), paris()]],
  ['the earlier one states several relations', () => [stated('Alice lives in Rome', null), paris()]],
  ['the change came first', () => [paris(), rome()]],
  ['both say the same', () => [stated('Alice lives in paris', ['Alice', 'lives_in', 'paris']), paris()]],
  ['the earlier one has a key', () => [{ ...rome(), key: 'home' }, paris()]],
  ['the earlier one would be known for longer', () => [rome(), paris({ expiresAt: '2026-02-01T00:00:00.000Z' })]],
  ['they are of two kinds', () => [rome(), paris({ fields: 'other' })]],
  ['they are two relations', () => [stated('Alice works at Acme', ['Alice', 'works_at', 'Acme']), paris()]],
])('nothing is outdated when %s', (_, all) => {
  expect(between(...all())).toEqual([])
})
