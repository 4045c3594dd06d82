import type { Caller } from '@twofold/operation/caller.ts'
import { type Listing, list } from '../memories/list.ts'
import type { Memory } from '../memories/memory.ts'
import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'

export interface Commitments extends Pick<Listing, 'namespace' | 'namespacePrefix' | 'limit' | 'after'> {
  /** What is overdue is open too. */
  status?: 'open' | 'overdue' | 'completed'
  owner?: string
  /** Due earlier than this. */
  dueBefore?: string
}

/**
 * Who will do what, in the order it was promised, from Postgres alone, which asks an index by status. Pages as `list`
 * does. Refuses `forbidden` for a namespace outside the grant.
 */
export async function getCommitments(
  deps: Deps,
  caller: Caller,
  { status, owner, dueBefore, ...listing }: Commitments,
): Promise<{ items: Memory[]; next: string | null }> {
  const now = deps.now().toISOString()
  const due = status === 'overdue' ? [now, ...(dueBefore === undefined ? [] : [dueBefore])].sort()[0] : dueBefore
  const condition = sql`${status === undefined ? sql`true` : sql`m.status = ${status === 'overdue' ? 'open' : status}`}
    and ${due === undefined ? sql`true` : sql`m.due_at < ${due} collate "C"`}
    and ${owner === undefined ? sql`true` : sql`m.details->>'owner' = ${owner}`}`
  return list(deps, caller, { ...listing, kind: 'commitment', condition })
}
