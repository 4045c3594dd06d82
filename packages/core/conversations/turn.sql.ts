import { type Statement, sql } from '../sql.ts'
import { called, lasting, ownPlace } from './conversation.ts'

export interface NewTurn {
  id: string
  query: string
  answer: string
  at: string
  ttlHours: number | null
  memoryId: string | null
  idempotencyKey: string | null
}

export interface Where {
  /** The caller's own id of the conversation. */
  name: string
  /** The id it gets if it begins with this turn. */
  newId: string
  /** Where it must lie; null: wherever it does. */
  namespace: string | null
  userId: string | null
  /** From now on; null: as it was. */
  ttlHours: number | null
  /** Of a conversation that says nothing. */
  usualTtlHours: number
}

/** ISO 8601 has four digits for the year. */
const LATEST = '9999-12-31T23:59:59.999Z'

const expiry = (at: string, hours: Statement): Statement =>
  sql`least(${at}::timestamptz + make_interval(secs => 3600 * ${hours}), ${LATEST}::timestamptz)`

/**
 * A turn and, if need be, its conversation. Turns of one conversation wait for each other at its row, and for its removal:
 * one that comes when it is gone begins it anew.
 */
export function insertTurn(turn: NewTurn, where: Where, now: string): Statement[] {
  const { name, namespace } = where
  const place = namespace ?? ownPlace(name)
  const hours = (c: Statement) => sql`coalesce(${turn.ttlHours}::float8, ${where.ttlHours}::float8, ${c}, ${where.usualTtlHours}::float8)`
  const end = (c: Statement) => expiry(turn.at, hours(c))
  return [
    // What has expired is nobody's any more.
    sql`delete from conversations c where c.tenant_id = current_tenant() and c.name = ${name} and not ${lasting(now)}`,
    ...(namespace === null
      ? [
          sql`select refuse('forbidden', 'The key has no grant for this namespace.')
            where not visible(${place}) and not exists (select from conversations c where ${called(name, now)})`,
        ]
      : []),
    sql`with made as (
          insert into conversations as c (tenant_id, id, name, namespace, user_id, ttl_hours, written, created_at, updated_at, last_at, expires_at)
          values (current_tenant(), ${where.newId}::uuid, ${name}, ${place}, ${where.userId}, ${where.ttlHours}::float8, 1,
            ${now}::timestamptz, ${now}::timestamptz, ${turn.at}::timestamptz, ${end(sql`null::float8`)})
          on conflict (tenant_id, name) do update set ttl_hours = coalesce(excluded.ttl_hours, c.ttl_hours), written = c.written + 1,
            updated_at = greatest(c.updated_at, excluded.updated_at), last_at = greatest(c.last_at, excluded.last_at),
            expires_at = greatest(c.expires_at, ${end(sql`c.ttl_hours`)})
          where visible(c.namespace) and (${namespace}::text is null or c.namespace = ${namespace})
          returning c.*)
        insert into turns (tenant_id, id, conversation_id, query, answer, at, created_at, expires_at, memory_id, actor, idempotency_key)
        select c.tenant_id, ${turn.id}::uuid, c.id, ${turn.query}, ${turn.answer}, ${turn.at}::timestamptz, ${now}::timestamptz,
          ${end(sql`c.ttl_hours`)}, ${turn.memoryId}::uuid, current_actor(), ${turn.idempotencyKey}
        from made c`,
    sql`select refuse('conflict', 'A conversation with this id exists and belongs to another user.')
        where not exists (select from turns u where u.tenant_id = current_tenant() and u.id = ${turn.id}::uuid)`,
    sql`select audit('conversations.add_turn', array[u.id], array[c.namespace], null, ${now}::timestamptz)
        from turns u join conversations c on c.tenant_id = u.tenant_id and c.id = u.conversation_id
        where u.tenant_id = current_tenant() and u.id = ${turn.id}::uuid`,
  ]
}
