import type { Caller } from '@twofold/operation/caller.ts'
import { Replay } from '../failures.ts'
import { claim, remembering } from '../idempotency.ts'
import type { Written } from '../memories/remember.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { called } from './conversation.ts'

/**
 * Removes a conversation with all its turns, for good; memories that were made of them stay. False when there is none
 * that the caller may see. A request that is sent again is answered as it was at first, and clears nothing a second time.
 */
export async function clearConversation(deps: Deps, caller: Caller, id: string): Promise<Written<{ cleared: boolean }>> {
  const now = deps.now().toISOString()
  const statements: Statement[] = [...claim(caller, [{}], now), removal(caller, id, now)]
  try {
    const { rows } = await deps.db.asCaller(caller, null, statements, { write: true, repeatable: caller.idempotency !== null })
    const [removed] = rows.at(-1) as { cleared: number }[]
    return { answer: { cleared: removed?.cleared === 1 }, replayed: false }
  } catch (error) {
    if (!(error instanceof Replay)) throw error
    return { answer: { cleared: error.targets[0]?.version === 1 }, replayed: true }
  }
}

const removal = (caller: Caller, id: string, now: string): Statement => sql`
  with gone as (delete from conversations c where ${called(id, now)} returning c.id, c.namespace),
  audited as (select audit('conversations.clear', array_agg(id), array_agg(namespace), null, ${now}::timestamptz) from gone having count(*) > 0),
  noted as (${remembering(caller, sql`jsonb_build_array(jsonb_build_object('version', (select count(*) from gone)))`)})
  select count(*)::int as cleared from audited`
