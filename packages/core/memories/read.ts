import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { type AnswerRow, remembered, selectAnswers } from './answer.ts'
import { live, unexpired } from './live.sql.ts'
import type { Remembered } from './memory.ts'
import { byId, type Which } from './which.sql.ts'

export const notFound = (missing = 'There is no such memory.') => new Refusal('not_found', missing)

/** There was such a version, and the policy of the namespace has not kept it. */
export const squashed = (what: string) => new Refusal('gone', `${what} was squashed, as the policy of the namespace says.`)

/** What the caller may see and what has not expired. Deleted rows only where a request asks for them. */
export const readable = (now: string, includeDeleted = false): Statement =>
  sql`${includeDeleted ? unexpired(now) : live(now)} and visible(m.namespace)`

/**
 * One memory as it is now, or as it was: at a version, or at a moment. Refuses `not_found`, also for what lies outside the
 * caller's grant, and `gone` for a version that was squashed, or a moment at which such a one was current.
 */
export const read = (deps: Deps, caller: Caller, id: string, past?: Past): Promise<Remembered> => readWhich(deps, caller, byId(id), past)

interface Past {
  version?: number
  asOf?: string
}

/** The same of any memory. */
export async function readWhich(deps: Deps, caller: Caller, { id, ranges, missing }: Which, past: Past = {}): Promise<Remembered> {
  const now = deps.now().toISOString()
  const current = past.version === undefined && past.asOf === undefined
  const statement = current ? selectAnswers(sql`m.id = ${id} and ${readable(now)}`) : selectPast(id, past, now)
  const { rows } = await deps.db.asCaller(caller, ranges, [statement])
  const row: (AnswerRow & Partial<PastRow>) | undefined = rows[0][0]
  if (row?.squashed) throw squashed(past.version === undefined ? 'The version of that time' : `Version ${past.version}`)
  if (!row?.memory || row.memory.deletedAt !== null) throw notFound(missing)
  return remembered(row, { graphEnabled: deps.settings.graphEnabled })
}

interface PastRow extends AnswerRow {
  squashed: boolean
}

/** That there was such a version is known by its number, and that one was current at a moment by what is left before it. */
const selectPast = (id: Statement, { version, asOf }: Past, now: string): Statement<PastRow> => sql<PastRow>`
  select v.memory, iso(v.at) as at, false as owes_embedding, false as owes_entities,
    l.revision = l.shown as shown, l.shown_version, iso(l.shown_at) as shown_at, l.parked_at is not null as parked,
    coalesce(case when ${version ?? null}::int is null then m.created_at <= ${asOf ?? null}::timestamptz and coalesce(v.ended_at <= ${asOf ?? null}::timestamptz, v.version is null)
      else ${version ?? null}::int <= m.version and not exists (
        select from memory_versions x where x.tenant_id = m.tenant_id and x.memory_id = m.id and x.version = ${version ?? null}::int) end, false) as squashed
  from readable_memories m
  left join lateral (
    select v.version, v.memory, v.at, v.ended_at from memory_versions v
    where v.tenant_id = m.tenant_id and v.memory_id = m.id
      and (${version ?? null}::int is null or v.version = ${version ?? null}::int) and (${asOf ?? null}::timestamptz is null or v.at <= ${asOf ?? null}::timestamptz)
    order by v.version desc limit 1) v on true
  left join ledger l on l.tenant_id = m.tenant_id and l.id = m.id
  where m.tenant_id = current_tenant() and m.id = ${id} and ${readable(now, true)}`
