import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import { Replay } from '../failures.ts'
import { claim, remembering } from '../idempotency.ts'
import { introduce } from '../keys/introduce.ts'
import type { Written } from '../memories/remember.ts'
import { inside } from '../namespaces/inside.sql.ts'
import { granted } from '../namespaces/namespace.ts'
import type { Deps, Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { lasting } from './conversation.ts'

/** Removed at once: so many conversations, and no more of them when they have that many turns together. */
const MOST_CONVERSATIONS = 200
const MOST_TURNS = 20_000

export const Cleaned = z.object({
  cleaned: z.number().meta({ description: 'Conversations removed.' }),
  done: z.boolean().meta({ description: 'False when there may be more: ask again.' }),
})
export type Cleaned = z.infer<typeof Cleaned>

/** What an idempotency row remembers of a cleanup that did not come to its end. */
const MORE = 'more'

/**
 * Removes, with their turns, the conversations that have expired, and with `maxAgeHours` those in which nothing was said
 * for so long; of what the caller may see, and a bounded part of it at once.
 */
export async function cleanUp(
  deps: Deps,
  caller: Caller,
  { maxAgeHours }: { maxAgeHours?: number | undefined },
): Promise<Written<Cleaned>> {
  const at = deps.now()
  const now = at.toISOString()
  const before = maxAgeHours === undefined ? null : new Date(at.getTime() - maxAgeHours * 3600_000).toISOString()
  const ranges = granted((await introduce(deps, caller, null)).grants)
  const statements: Statement[] = [...claim(caller, [{}], now), removal(caller, ranges, now, before)]
  try {
    const { rows } = await deps.db.asCaller(caller, ranges, statements, { write: true, repeatable: caller.idempotency !== null })
    const [{ cleaned, done }] = rows.at(-1) as [Cleaned]
    return { answer: { cleaned, done }, replayed: false }
  } catch (error) {
    if (!(error instanceof Replay)) throw error
    const [first] = error.targets
    return { answer: { cleaned: first?.version ?? 0, done: first?.code !== MORE }, replayed: true }
  }
}

/** What has become young again since it was looked for stays. */
function removal(caller: Caller, ranges: readonly Range[], now: string, before: string | null): Statement<Cleaned> {
  const old = before === null ? sql`not ${lasting(now)}` : sql`(not ${lasting(now)} or c.last_at < ${before}::timestamptz)`
  return sql<Cleaned>`
    with due as (
      select c.id, c.written from conversations c
      where c.tenant_id = current_tenant() and ${inside(sql`c.namespace`, ranges)} and ${old} limit ${MOST_CONVERSATIONS + 1}::int),
    counted as (select id, row_number() over (order by id) as n, sum(written) over (order by id) - written as turns_before from due),
    gone as (
      delete from conversations c
      where c.tenant_id = current_tenant() and ${old}
        and c.id = any(array(select d.id from counted d where d.n <= ${MOST_CONVERSATIONS}::int and d.turns_before < ${MOST_TURNS}::int))
      returning c.id, c.namespace),
    audited as (select audit('conversations.cleanup', array_agg(id), array_agg(namespace), null, ${now}::timestamptz) from gone having count(*) > 0),
    total as (select (select count(*) from gone)::int as cleaned, (select count(*) from gone) = (select count(*) from due) as done),
    noted as (${remembering(
      caller,
      sql`jsonb_build_array((select jsonb_build_object('version', cleaned, 'code', case when not done then ${MORE} end) from total))`,
    )})
    select cleaned, done, (select count(*) from audited) as audited from total`
}
