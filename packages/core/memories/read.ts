import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { type AnswerRow, remembered, selectAnswers } from './answer.ts'
import { live, unexpired } from './live.sql.ts'
import type { Remembered } from './memory.ts'

export const notFound = () => new Refusal('not_found', 'There is no such memory.')

/** What the caller may see and what has not expired. Deleted rows only where a request asks for them. */
export const readable = (now: string, includeDeleted = false): Statement =>
  sql`${includeDeleted ? unexpired(now) : live(now)} and visible(m.namespace)`

/** One memory as it is now, or as it was: at a version, or at a moment. Refuses `not_found`, also for what lies outside the caller's grant. */
export async function read(deps: Deps, caller: Caller, id: string, past: { version?: number; asOf?: string } = {}): Promise<Remembered> {
  const now = deps.now().toISOString()
  const statement =
    past.version === undefined && past.asOf === undefined
      ? selectAnswers(sql`m.id = ${id}::uuid and ${readable(now)}`)
      : selectPast(id, past, now)
  const { rows } = await deps.db.asCaller(caller, null, [statement])
  const row = rows[0][0]
  if (!row || row.memory.deletedAt !== null) throw notFound()
  return remembered(row, { graphEnabled: deps.settings.graphEnabled })
}

const selectPast = (
  id: string,
  { version, asOf }: { version?: number; asOf?: string },
  now: string,
): Statement<AnswerRow> => sql<AnswerRow>`
  select v.memory, iso(v.at) as at, false as owes_embedding, false as owes_entities,
    l.revision = l.shown as shown, l.shown_version, iso(l.shown_at) as shown_at, l.parked_at is not null as parked
  from readable_memories m
  join memory_versions v on v.tenant_id = m.tenant_id and v.memory_id = m.id
  left join ledger l on l.tenant_id = m.tenant_id and l.id = m.id
  where m.tenant_id = current_tenant() and m.id = ${id}::uuid and ${readable(now, true)}
    and (${version ?? null}::int is null or v.version = ${version ?? null}::int) and (${asOf ?? null}::timestamptz is null or v.at <= ${asOf ?? null}::timestamptz)
  order by v.version desc limit 1`
