import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { type AnswerRow, selectAnswers } from '../memories/answer.ts'
import { detailsOf } from '../memories/details.ts'
import { redraft } from '../memories/draft.ts'
import type { Remembered } from '../memories/memory.ts'
import { readable } from '../memories/read.ts'
import type { InSession, Written } from '../memories/remember.ts'
import { revise } from '../memories/update.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'

export const MISSING = 'There is no such commitment.'

/** The commitment of this id, when the caller may see it. */
export const selectCommitment = (deps: Deps, id: string): Statement<AnswerRow> =>
  selectAnswers(sql`m.id = ${id}::uuid and m.kind = 'commitment' and ${readable(deps.now().toISOString())}`)

/**
 * Completes a commitment: its next version. Of several who do so at once one does, and the others are refused as later
 * ones are, with `conflict`. Refuses `not_found` for what is no commitment that the caller may see.
 */
export async function completeCommitment(
  deps: Deps,
  caller: Caller,
  id: string,
  outcome: string | undefined,
  { session }: InSession = {},
): Promise<Written<Remembered>> {
  return revise(deps, caller, selectCommitment(deps, id), {
    action: 'commitments.complete',
    missing: MISSING,
    session,
    next(memory, at) {
      if (memory.status === 'completed') throw new Refusal('conflict', 'The commitment is completed already.')
      const before = detailsOf(memory, 'commitment') ?? {}
      const after = { ...before, status: 'completed' as const, outcome: outcome ?? null, completedAt: at.toISOString() }
      const { entities, relations } = memory
      return redraft(deps, memory, { entities, relations, extractEntities: outcome !== undefined }, at, after)
    },
  })
}
