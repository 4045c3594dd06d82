import { likeness, plain } from './same.ts'

/** What decides whether a memory is merged into another. */
export interface Candidate {
  id: string
  version: number
  /** A keyed memory is never merged away: its key is a promise. It may be what others are merged into. */
  key: string | null
  kind: string
  speaker: string | null
  /** The content, or a hash of one that is too long to be compared by words. */
  text: string
  long: boolean
  /** Equal where kind, fields of the kind and value are. */
  fields: string
  /** Equal where those, type, speaker, and when it happened are: everything but the words. */
  apart: string
  importance: number
  at: string
  /** When it goes by itself; null: never. */
  expiresAt: string | null
  /** The only relation that it states, where it states one. */
  says: { from: string; type: string; to: string } | null
}

export interface Group {
  kept: string
  merged: string[]
  reason: Reason
}

export const REASONS = ['exact', 'similar', 'duplicate', 'contradiction'] as const
export type Reason = (typeof REASONS)[number]

/** What is kept of equals: what has a key, what lasts, what matters most, what has been there longest. */
export const byPreference = (a: Candidate, b: Candidate): number =>
  Number(b.key !== null) - Number(a.key !== null) ||
  Number(outlasts(b, a)) - Number(outlasts(a, b)) ||
  b.importance - a.importance ||
  (a.id < b.id ? -1 : 1)

/** What happened last, first. */
export const byLatest = (a: Candidate, b: Candidate): number => (a.at === b.at ? (a.id < b.id ? 1 : -1) : a.at < b.at ? 1 : -1)

const outlasts = (a: Candidate, b: Candidate): boolean => b.expiresAt !== null && (a.expiresAt === null || a.expiresAt > b.expiresAt)

/** Whether it may go where that one stays: nothing that has a key goes, and nothing that would be known for longer. */
export const mayGo = (it: Candidate, kept: Candidate): boolean => it.key === null && it.id !== kept.id && !outlasts(it, kept)

/** Least cosine similarity of two texts whose words are the same but for such as carry nothing. */
export const ALIKE = 0.8

/** Whether two memories say the same; `similarity` is that of their vectors. What somebody said is the same only in the same words. */
export function sayTheSame(a: Candidate, b: Candidate, similarity: number): boolean {
  if (a.apart !== b.apart) return false
  if (a.long || b.long) return a.text === b.text
  if (a.speaker !== null) return plain(a.text) === plain(b.text)
  const like = likeness(a.text, b.text)
  return like === 'same' || (like === 'alike' && similarity >= ALIKE)
}

/**
 * Groups of those that `same` takes for one: each goes into one that it is the same as itself, so that no chain of small
 * differences makes one of what is two. What `stays` goes into nothing. Every memory is in at most one group.
 */
export function grouped(
  candidates: readonly Candidate[],
  reason: Reason,
  same: (a: Candidate, b: Candidate) => boolean,
  stays: ReadonlySet<string> = new Set(),
): Group[] {
  const first = (a: Candidate, b: Candidate) => Number(stays.has(b.id)) - Number(stays.has(a.id)) || byPreference(a, b)
  const left = new Set(candidates.toSorted(first))
  const groups: Group[] = []
  for (const kept of left) {
    left.delete(kept)
    const merged = [...left].filter((it) => !stays.has(it.id) && mayGo(it, kept) && same(kept, it))
    for (const it of merged) left.delete(it)
    if (merged.length > 0) groups.push({ kept: kept.id, merged: merged.map(({ id }) => id).sort(), reason })
  }
  return groups
}

/** Those whose words are the same; `exact` needs no vectors. */
export const wordForWord = (candidates: readonly Candidate[]): Group[] =>
  [...Map.groupBy(candidates, ({ apart, text, long }) => `${apart} ${long ? text : plain(text)}`).values()].flatMap((equal) =>
    grouped(equal, 'exact', () => true),
  )
