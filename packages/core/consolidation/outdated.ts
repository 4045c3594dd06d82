import { normalize } from '../entities/mentions.ts'
import { byLatest, type Candidate, type Group, mayGo } from './candidate.ts'

/** Relations that somebody has to one thing at a time, as a rule; only a word that says so makes it one. */
export const ONE_AT_A_TIME = ['lives_in', 'works_at', 'married_to'] as const

/** What says that something has changed: without it, Paris may lie in France, and somebody may have two jobs. */
const CHANGED = /\b(?:moved|relocated|now|joined|switched|no longer)\b/i

/** What a statement of nothing but that relation is made of, beside the two names. */
const NOTHING_ELSE =
  /^(?:\W*\b(?:lives?|living|is|has|was|still|currently|now|based|moved|relocated|works?|working|joined|just|recently|married|at|for|in|to|the)\b)*\W*$/i

/**
 * Memories that a later one makes outdated: it gives the same thing another value of which it has one at a time, and says
 * that this has changed; and they say nothing else, so that nothing goes that is still true. The latest stays.
 */
export function outdated(candidates: readonly Candidate[], rivals: readonly { a: string; b: string }[]): Group[] {
  const known = new Map(candidates.map((it) => [it.id, it]))
  const pairs = rivals.flatMap(({ a, b }) => {
    const [later, earlier] = [known.get(a), known.get(b)].filter((it) => it !== undefined).toSorted(byLatest)
    return later && earlier ? [{ later, earlier }] : []
  })
  const taken = new Set<Candidate>()
  return [...Map.groupBy(pairs, ({ later }) => later)]
    .toSorted(([a], [b]) => byLatest(a, b))
    .flatMap(([later, pairs]): Group[] => {
      if (taken.has(later) || !CHANGED.test(later.text)) return []
      const merged = [...new Set(pairs.map(({ earlier }) => earlier))].filter(
        (it) => !taken.has(it) && it.fields === later.fields && mayGo(it, later) && contradicts(it, later) && saysNothingElse(it),
      )
      for (const it of [later, ...merged]) taken.add(it)
      return merged.length === 0 ? [] : [{ kept: later.id, merged: merged.map(({ id }) => id).sort(), reason: 'contradiction' }]
    })
}

const contradicts = ({ says: a }: Candidate, { says: b }: Candidate): boolean =>
  a !== null && b !== null && a.type === b.type && normalize(a.to) !== normalize(b.to)

function saysNothingElse({ text, says }: Candidate): boolean {
  if (says === null) return false
  const rest = [says.from, says.to].reduce((left, name) => left.replace(name, ' '), text)
  return NOTHING_ELSE.test(rest)
}
