import type { Caller } from '@twofold/operation/caller.ts'
import type { z } from 'zod-own'
import type { Deps } from '../ports.ts'
import { textOfDetails } from './details.ts'
import type { RememberKind } from './input.ts'
import type { Details, Remembered } from './memory.ts'
import { type InSession, remember, type Written } from './remember.ts'

/** Remembers something of a kind with fields of its own: as any memory, with a text made from these, and about what it is about. */
export function rememberKind(
  deps: Deps,
  caller: Caller,
  kind: string,
  details: Details,
  { about = [], entities = [], ...rest }: z.infer<typeof RememberKind>,
  options?: InSession,
): Promise<Written<Remembered>> {
  const named = [...about.map((name) => ({ ...name, about: true })), ...entities]
  return remember(deps, caller, { ...rest, kind, details, content: textOfDetails(details), entities: named }, options)
}
