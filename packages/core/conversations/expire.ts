import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import { lasting } from './conversation.ts'

/** What has just come is left alone, so that an import of old turns is swept once and not turn by turn. */
const SETTLED_MS = 60_000

/**
 * Removes turns that have expired, longest ago first, and conversations of which none is left; reads have hidden both
 * since that moment. Answers true when there may be more.
 */
export async function expireTurns(deps: Pick<Deps, 'db' | 'now'>, tenant: string, most: number): Promise<boolean> {
  const at = deps.now()
  const now = at.toISOString()
  const settled = new Date(at.getTime() - SETTLED_MS).toISOString()
  const [turns, conversations] = await deps.db.asTenant(tenant, [
    sql`delete from turns u
        where u.tenant_id = current_tenant() and u.id = any(array(
          select id from turns where tenant_id = current_tenant() and expires_at <= ${now}::timestamptz and created_at <= ${settled}::timestamptz
          order by expires_at limit ${most}::int for update skip locked))
        returning 1`,
    sql`with gone as (
          delete from conversations c
          where c.tenant_id = current_tenant() and not ${lasting(now)} and c.id = any(array(
            select c.id from conversations c
            where c.tenant_id = current_tenant() and not ${lasting(now)} and c.updated_at <= ${settled}::timestamptz
              and not exists (select from turns u where u.tenant_id = c.tenant_id and u.conversation_id = c.id)
            order by c.expires_at limit ${most}::int))
          returning c.id, c.namespace)
        select audit('conversations.expire', array[id], array[namespace], null, ${now}::timestamptz) from gone`,
  ])
  return turns.length === most || conversations.length === most
}
