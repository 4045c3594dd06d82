import type { Caller } from '@twofold/operation/caller.ts'
import type { z } from 'zod'
import { makesMemory, pattern, type Remembered, RememberKind } from '../memories/memory.ts'
import type { InSession, Written } from '../memories/remember.ts'
import { rememberKind } from '../memories/remember-kind.ts'
import type { Deps } from '../ports.ts'

export const PatternInput = RememberKind.extend(pattern).superRefine(makesMemory).meta({ id: 'PatternInput' })
export type PatternInput = z.infer<typeof PatternInput>

/** Remembers what happens again and again. Refuses what `remember` refuses. */
export const recordPattern = (
  deps: Deps,
  caller: Caller,
  { name, description, confidence, occurrences = 1, ...rest }: PatternInput,
  options?: InSession,
): Promise<Written<Remembered>> =>
  rememberKind(deps, caller, 'pattern', { name, description, confidence: confidence ?? null, occurrences }, rest, options)
