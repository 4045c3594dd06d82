import { MOST_ROWS } from '../graph/project.ts'
import { type Statement, sql } from '../sql.ts'
import { checkThese } from './check.ts'
import { isOurs } from './difference.ts'
import { noteDriftOf } from './drift.sql.ts'
import { mendThese } from './look.ts'
import type { Phase } from './run.ts'

/**
 * Looks again at everything that was shown since the last such run began: whether the graph really has what it said it
 * took. Costs what changed, whatever the size.
 */
export const changed: Phase = async function* (work, cursor) {
  const { deps, tenant, run, scope, session, timeoutMs, signal } = work
  // The time, as Postgres writes it, has a blank in it; the id has none.
  const [, after = null, since = null] = /^(\S+) (.+)$/.exec(cursor) ?? []
  let at = { since, after }
  let done = run.done
  for (;;) {
    const [rows] = await deps.db.asTenant(tenant, [shownSince(at, run.started_at)])
    const last = rows.at(-1)
    if (!last) return
    const ids = rows.map((row) => row.id)
    const found = await checkThese(deps, tenant, ids, { scope, session, timeoutMs, signal })
    await deps.db.asTenant(tenant, noteDriftOf(run.id, found, ids, { now: deps.now().toISOString(), id: deps.id }))
    const mended = await mendThese(work, found.filter(isOurs))
    at = { since: last.shown_at, after: last.id }
    done += rows.length
    const checked = rows.filter(({ kind }) => kind === 'memory').length
    yield {
      ...{ cursor: `${last.id} ${last.shown_at}`, done, total: done, checked, found },
      ...mended,
    }
  }
}

/** In the order in which they were shown; the first ones a little before the last run began, which were noted after it had looked. */
const shownSince = (
  { since, after }: { since: string | null; after: string | null },
  started: string,
): Statement<{
  id: string
  kind: string
  shown_at: string
}> => sql<{ id: string; kind: string; shown_at: string }>`
  select l.id, l.kind, l.shown_at::text as shown_at from ledger l
  where l.tenant_id = current_tenant() and l.shown_at <= ${started}::timestamptz and ${
    since === null
      ? sql`l.shown_at > (select coalesce(max(r.started_at) - interval '2 minutes', '-infinity') from sync_runs r
          where r.tenant_id = current_tenant() and r.operation = 'incremental' and r.ended_at is not null)`
      : sql`(l.shown_at, l.id) > (${since}::timestamptz, ${after}::uuid)`
  }
  order by l.shown_at, l.id limit ${MOST_ROWS}::int`
