import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import { line, makesMemory } from '../memories/fields.ts'
import { commitment, RememberKind } from '../memories/input.ts'
import type { Remembered } from '../memories/memory.ts'
import type { InSession, Written } from '../memories/remember.ts'
import { rememberKind } from '../memories/remember-kind.ts'
import type { Deps } from '../ports.ts'

export const Outcome = line(5000)

export const CommitmentInput = RememberKind.extend({
  ...commitment,
  status: z.enum(['open', 'completed']).optional().meta({ description: 'open unless told.' }),
  outcome: Outcome.optional(),
})
  .superRefine(makesMemory)
  .refine(({ status, outcome }) => outcome === undefined || status === 'completed', {
    path: ['outcome'],
    message: 'is known only of what is completed',
  })
  .meta({ id: 'CommitmentInput' })
export type CommitmentInput = z.infer<typeof CommitmentInput>

/** Remembers who will do what, and until when. Refuses what `remember` refuses. */
export function createCommitment(
  deps: Deps,
  caller: Caller,
  { title, owner, dueAt, status = 'open', outcome, ...rest }: CommitmentInput,
  options?: InSession,
): Promise<Written<Remembered>> {
  const details = { title, owner, dueAt: dueAt ?? null, status, outcome: outcome ?? null, completedAt: null }
  return rememberKind(deps, caller, 'commitment', details, rest, options)
}
