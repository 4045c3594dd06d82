import { within } from '../namespaces/inside.sql.ts'
import { type Statement, sql } from '../sql.ts'
import { touches } from './scope.sql.ts'
import type { Scope } from './scope.ts'

/** What is settled and shown. */
export const countShown = sql<{ shown: number }>`
  select count(*)::int as shown from ledger l where l.tenant_id = current_tenant() and l.revision = l.shown and l.digest_high is not null`

/** What has been owed since then or longer, and may still be shown. */
export const owedSince = (since: string): Statement<{ rows: number }> => sql<{ rows: number }>`
  select count(*)::int as rows from ledger l
  where l.tenant_id = current_tenant() and l.revision <> l.shown and l.parked_at is null and l.owed_since <= ${since}::timestamptz`

/** What the graph shows of this scope: of a part of a subject its memories and sessions, of a whole one the entities too. */
const lying = ({ ranges, narrow, ...scope }: Scope): Statement => sql`
  l.tenant_id = current_tenant() and l.digest_high is not null and ${touches(sql`l.subject`, scope)} ${
    narrow
      ? sql`and (exists (select from memories m where m.tenant_id = l.tenant_id and m.id = l.id and ${within(sql`m.namespace`, ranges)})
          or exists (select from sessions s where s.tenant_id = l.tenant_id and s.id = l.id and ${within(sql`s.namespace`, ranges)}))`
      : sql``
  }`

export const countOf = (scope: Scope): Statement<{ rows: number }> =>
  sql<{ rows: number }>`select count(*)::int as rows from ledger l where ${lying(scope)}`

export const shownIn = (scope: Scope, after: string, most: number) => sql<{ id: string; revision: number; settled: boolean }>`
  select l.id, l.revision, l.revision = l.shown as settled from ledger l
  where ${lying(scope)} and l.id > ${after}::uuid order by l.id limit ${most}::int`
