import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import { Replay } from '../failures.ts'
import { claim } from '../idempotency.ts'
import { announce, type InSession, type Written } from '../memories/remember.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { guard } from './change.ts'
import { called } from './session.ts'

/** Memories unlinked in one transaction. */
const MOST_MEMORIES = 500

type Its = { ids: string[] }

/**
 * Deletes a session with its events, and its place in the graph. Its memories stay, each with a next version that knows no
 * session; so does what it shared with other sessions. Of more memories than one transaction takes, some may be unlinked
 * although the rest fails: the same request again goes on from there. Refuses `not_found` and `version_mismatch`.
 */
export async function deleteSession(
  deps: Deps,
  caller: Caller,
  id: string,
  { session }: InSession = {},
): Promise<Written<{ deleted: true }>> {
  const now = deps.now().toISOString()
  const mine = called(id)
  const locked = guard(mine, caller.ifMatch, null, '')
  const unlinking = unlink(mine, id, now, deps.settings.graphEnabled)
  const itself = sql<{ id: string; subject: string }>`select s.id, s.subject from sessions s where ${mine}`
  const list = [
    ...claim(caller, [{}], now),
    locked,
    unlinking,
    sql`select refuse('in_progress', 'The memories of this session are being unlinked.', '{"unlinking": true}') where exists (${linked(mine, id)})`,
    sql`select audit('sessions.delete', array[s.id], array[s.namespace], array[s.version], ${now}::timestamptz) from sessions s where ${mine}`,
    ...(deps.settings.graphEnabled
      ? [sql`select owe('session', array[s.id], array[s.subject], ${now}::timestamptz) from sessions s where ${mine}`]
      : []),
    forgetRequests(mine),
    itself,
    sql`delete from sessions s where ${mine}`,
  ]
  for (;;) {
    try {
      const { authorized, rows } = await deps.db.asCaller(caller, null, list, { write: true, repeatable: caller.idempotency !== null })
      const [gone] = rows[list.indexOf(itself)] as [{ id: string; subject: string }]
      const [its] = rows[list.indexOf(unlinking)] as Its[]
      const told = [gone.id, ...(its?.ids ?? [])].map((id) => ({ id, subject: gone.subject }))
      await announce(deps, caller, authorized, told, { session })
      return { answer: { deleted: true }, replayed: false }
    } catch (error) {
      if (error instanceof Replay) return { answer: { deleted: true }, replayed: true }
      if (!(error instanceof Refusal && error.details.unlinking)) throw error
      await deps.db.asCaller(caller, null, [locked, unlinking], { write: true, repeatable: true })
    }
  }
}

/**
 * The memories of a session: what carries its id in its own subject, and somebody may read. The id is given, since a
 * session's name has another collation than their index.
 */
const linked = (mine: Statement, id: string): Statement => sql`
  select m.id from memories m
  where m.tenant_id = current_tenant() and m.session_id = ${id} and m.subject = (select s.subject from sessions s where ${mine})
    and m.deleted_at is null and m.pending_until is null`

/** What idempotency rows know of the requests that wrote to it: nothing from now on; sent again, they are `gone`. */
const forgetRequests = (mine: Statement): Statement => sql`
  update idempotency_keys k set request_hash = null
  where k.tenant_id = current_tenant() and starts_with(k.operation, 'sessions.') and k.target = (select s.id::text from sessions s where ${mine})`

/** A version of its own of each, so that its history tells the truth. */
const unlink = (mine: Statement, id: string, now: string, graphEnabled: boolean): Statement<Its> => sql<Its>`
  with its as materialized (${linked(mine, id)} order by m.id limit ${MOST_MEMORIES}::int for update of m),
  unlinked as (
    update memories m set session_id = null, version = m.version + 1, updated_by = current_actor(),
      updated_at = greatest(${now}::timestamptz, m.updated_at + interval '1 ms')
    where m.tenant_id = current_tenant() and m.id = any(array(select its.id from its))
    returning m.*),
  versioned as (
    insert into memory_versions (tenant_id, memory_id, version, namespace, action, reason, actor, on_behalf_of, request_id, at, memory, terms, counts, tokenizer)
    select u.tenant_id, u.id, u.version, u.namespace, 'memories.update', 'its session was deleted', current_actor(),
      nullif(current_setting('twofold.behalf', true), ''), nullif(current_setting('twofold.request', true), ''), u.updated_at, memory_json(u), v.terms, v.counts, v.tokenizer
    from unlinked u join memory_versions v on v.tenant_id = u.tenant_id and v.memory_id = any(array(select its.id from its)) and v.memory_id = u.id
      and v.version = u.version - 1)
  select jsonb_agg(u.id) as ids, audit('memories.update', array_agg(u.id), array_agg(u.namespace), array_agg(u.version), ${now}::timestamptz)
    ${graphEnabled ? sql`, owe('memory', array_agg(u.id), array_agg(u.subject), ${now}::timestamptz)` : sql``}
  from unlinked u having count(*) > 0`
