import type { Caller } from '@twofold/operation/caller.ts'
import { type Listing, list } from '../memories/list.ts'
import type { Memory } from '../memories/memory.ts'
import type { Deps } from '../ports.ts'

/** What was decided, in the order it was remembered, from Postgres alone. Pages as `list` does. Refuses `forbidden` for a namespace outside the grant. */
export const getDecisions = (
  deps: Deps,
  caller: Caller,
  listing: Pick<Listing, 'namespace' | 'namespacePrefix' | 'limit' | 'after'>,
): Promise<{ items: Memory[]; next: string | null }> => list(deps, caller, { ...listing, kind: 'decision' })
