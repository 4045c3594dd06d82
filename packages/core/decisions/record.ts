import type { Caller } from '@twofold/operation/caller.ts'
import type { z } from 'zod-own'
import { makesMemory } from '../memories/fields.ts'
import { decision, RememberKind } from '../memories/input.ts'
import type { Remembered } from '../memories/memory.ts'
import type { InSession, Written } from '../memories/remember.ts'
import { rememberKind } from '../memories/remember-kind.ts'
import type { Deps } from '../ports.ts'

export const DecisionInput = RememberKind.extend(decision).superRefine(makesMemory).meta({ id: 'DecisionInput' })
export type DecisionInput = z.infer<typeof DecisionInput>

/** Remembers what was decided, why, and what else was considered. Refuses what `remember` refuses. */
export const recordDecision = (
  deps: Deps,
  caller: Caller,
  { title, rationale, alternatives = [], ...rest }: DecisionInput,
  options?: InSession,
): Promise<Written<Remembered>> => rememberKind(deps, caller, 'decision', { title, rationale, alternatives }, rest, options)
