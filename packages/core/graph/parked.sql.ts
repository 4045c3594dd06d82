import { type Statement, sql } from '../sql.ts'
import type { NodeKind } from './port.ts'
import { ATTEMPTS } from './project.ts'

export interface ParkedRow {
  id: string
  kind: NodeKind
  /** What the graph said; never what the thing holds. */
  failure: string | null
  since: string
}

/** Where a ledger row `l` stands: a memory or a session in its namespace; nowhere an entity, and whatever is gone. */
export const namespaceOf: Statement = sql`coalesce(
  (select m.namespace from memories m where m.tenant_id = l.tenant_id and m.id = l.id),
  (select s.namespace from sessions s where s.tenant_id = l.tenant_id and s.id = l.id))`

/** Whether the grants of this transaction cover it; what has no namespace is covered by its subject. */
const covered: Statement = sql`visible(coalesce(${namespaceOf}, l.subject))`

/** What the graph refused to the end and the caller may see, longest parked first. */
export const parkedRows = (most: number): Statement<ParkedRow> => sql<ParkedRow>`
  select l.id, l.kind, l.failure, iso(l.parked_at) as since from ledger l
  where l.tenant_id = current_tenant() and l.parked_at is not null and ${covered} order by l.parked_at, l.id limit ${most}::int`

/** Which of the tenant's rows have been parked since then or longer. */
export const parkedSince = (before: string, most: number): Statement<{ id: string }> => sql<{ id: string }>`
  select l.id from ledger l where l.tenant_id = current_tenant() and l.parked_at <= ${before}::timestamptz order by l.parked_at, l.id limit ${most}::int`

const givenOneMore = (ids: readonly string[], condition: Statement): Statement<{ id: string }> => sql<{ id: string }>`
  with mine as materialized (
    select l.id from ledger l where l.tenant_id = current_tenant() and l.id = any(${ids}::uuid[]) and l.parked_at is not null and ${condition}
    order by l.id for update)
  update ledger l set parked_at = null, not_before = null, attempts = ${ATTEMPTS - 1}::int
  from mine where l.tenant_id = current_tenant() and l.id = mine.id
  returning l.id`

/** Gives parked rows one more attempt. Answers those that were parked. */
export const unpark = (ids: readonly string[]): Statement<{ id: string }> => givenOneMore(ids, sql`true`)

/** The same of what the caller may see. */
export const unparkVisible = (ids: readonly string[]): Statement<{ id: string }> => givenOneMore(ids, covered)

export interface StandingRow {
  id: string
  kind: NodeKind
  shown: boolean
  failure: string | null
  parked_at: string | null
}

export const standingOf = (id: string): Statement<StandingRow> => sql<StandingRow>`
  select l.id, l.kind, l.revision = l.shown as shown, l.failure, iso(l.parked_at) as parked_at
  from ledger l where l.tenant_id = current_tenant() and l.id = ${id}::uuid`
