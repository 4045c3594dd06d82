import type { Log, Proposal } from '../ports.ts'
import { byLatest, byPreference, type Candidate, type Group, mayGo } from './candidate.ts'
import { figures } from './same.ts'

/**
 * What of a model's proposals can be: each names at least two of the memories it was shown, none of them twice, all of
 * one kind with the same fields of it, and takes nothing away that has to stay. Of a contradiction the latest stays, whatever the model says;
 * of duplicates the one it chose, and texts with other numbers in them are none. All else is left out, with a log line.
 */
export function validated(proposals: readonly Proposal[], shown: readonly Candidate[], log: Log): Group[] {
  const taken = new Set<Candidate>()
  return proposals.flatMap(({ keep, merge, reason }) => {
    const named = [keep, ...merge].map((number) => shown[number - 1])
    const members = named.filter((it) => it !== undefined)
    const wrong = wrongWith(members, named.length, taken, reason)
    if (wrong !== null) {
      log.warn('consolidation.proposal_refused', { reason, wrong })
      return []
    }
    const [kept, ...others] = reason === 'contradiction' ? members.toSorted(byLatest) : keptFirst(members)
    const merged = others.filter((it) => mayGo(it, kept as Candidate))
    if (merged.length === 0) return []
    for (const it of [kept as Candidate, ...merged]) taken.add(it)
    return [{ kept: (kept as Candidate).id, merged: merged.map(({ id }) => id).sort(), reason }]
  })
}

/** The one the model chose, unless another cannot go where it stays. */
function keptFirst(members: readonly Candidate[]): readonly Candidate[] {
  const [chosen, ...others] = members as [Candidate, ...Candidate[]]
  return others.every((it) => mayGo(it, chosen)) ? members : members.toSorted(byPreference)
}

function wrongWith(members: readonly Candidate[], named: number, taken: ReadonlySet<Candidate>, reason: Proposal['reason']): string | null {
  if (members.length < named) return 'names what it was not shown'
  if (members.length < 2) return 'names nothing to merge'
  if (new Set(members).size < members.length || members.some((it) => taken.has(it))) return 'names a memory twice'
  if (new Set(members.map(({ fields }) => fields)).size > 1) return 'mixes kinds, or what differs in the fields of its kind'
  if (reason === 'duplicate' && new Set(members.map(({ text }) => figures(text))).size > 1) return 'takes other numbers for the same'
  return null
}
