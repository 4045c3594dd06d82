import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { normalize } from '../entities/mentions.ts'
import { detailsOf } from '../memories/details.ts'
import { redraft } from '../memories/draft.ts'
import type { Changes } from '../memories/input.ts'
import type { Memory, Remembered } from '../memories/memory.ts'
import type { InSession, Written } from '../memories/remember.ts'
import { revise } from '../memories/update.ts'
import type { Deps } from '../ports.ts'
import { MISSING, selectCommitment } from './complete.ts'

/**
 * Opens a commitment again that was completed: its next version, due when it was or by the new date; what came of it stays
 * in its history. Of several who do so at once one does. Refuses `conflict` for one that is open, `not_found` for what is
 * no commitment that the caller may see.
 */
export const reopenCommitment = (
  deps: Deps,
  caller: Caller,
  id: string,
  { dueAt, reason }: { dueAt?: string | null; reason?: string },
  { session }: InSession = {},
): Promise<Written<Remembered>> =>
  revise(deps, caller, selectCommitment(deps, id), {
    action: 'commitments.reopen',
    reason,
    missing: MISSING,
    session,
    next(memory, at) {
      if (memory.status !== 'completed') throw new Refusal('conflict', 'The commitment is open.')
      const before = detailsOf(memory, 'commitment') ?? {}
      const due = dueAt === undefined ? before.dueAt : dueAt
      const after = { ...before, dueAt: due, status: 'open' as const, outcome: null, completedAt: null }
      return redraft(deps, memory, mentionsWithout(memory), at, after)
    },
  })

/** What was found in the outcome goes with it. */
function mentionsWithout({ outcome, entities, relations }: Memory): Changes {
  if (!outcome) return { entities, relations, extractEntities: false }
  const kept = entities.filter(({ about, source }) => about || source === 'caller')
  const names = new Set(kept.map(({ normalized }) => normalized))
  const between = relations.filter(({ from, to }) => names.has(normalize(from.value)) && names.has(normalize(to.value)))
  return { entities: kept, relations: between, extractEntities: true }
}
