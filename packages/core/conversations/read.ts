import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import type { Deps } from '../ports.ts'
import { type Conversation, called, type Inside, selectConversations } from './conversation.ts'

/** What there is to say of a conversation, without what was said in it. Refuses `not_found`, also when all its turns have expired. */
export async function readConversation(deps: Deps, caller: Caller, id: string): Promise<Conversation & Inside> {
  const now = deps.now().toISOString()
  const { rows } = await deps.db.asCaller(caller, null, [
    selectConversations(called(id, now), { now, ttlHours: deps.settings.turnTtlHours }),
  ])
  if (!rows[0][0]) throw new Refusal('not_found', 'There is no such conversation.')
  return rows[0][0]
}
