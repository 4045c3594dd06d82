import type { Caller } from '@twofold/operation/caller.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { EntityType } from '../entities/entity.ts'
import { entityVisible } from '../entities/visible.sql.ts'
import { introduce } from '../keys/introduce.ts'
import { within } from '../namespaces/inside.sql.ts'
import { below, Subject, subjectsWithin } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { queryTerms, terms } from '../text/words.ts'
import { EntityNode } from './node.ts'

export const EntitiesQuery = z.strictObject({
  q: z.string().max(500).optional().meta({ description: 'Words of the name, whole, in any order and spelling.' }),
  type: EntityType.optional(),
  subject: Subject.optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.uuid('must be the nextCursor of an earlier answer').optional(),
  maxStalenessMs,
})
export type EntitiesQuery = z.infer<typeof EntitiesQuery>

export const EntitiesPage = z.object({ items: z.array(EntityNode), nextCursor: z.string().nullable() })

/**
 * The entities that the key may see, oldest first, from Postgres alone, so they are there before the graph shows them.
 * Entities made while somebody pages come last; none is skipped or answered twice. Refuses `forbidden` for a subject
 * that no grant covers.
 */
export async function listEntities(deps: Deps, caller: Caller, input: EntitiesQuery): Promise<z.infer<typeof EntitiesPage>> {
  const now = deps.now().toISOString()
  const { q, type, subject, limit, cursor } = input
  const subjects = subject === undefined ? subjectsWithin((await introduce(deps, caller, null)).grants) : null
  const { rows } = await deps.db.asCaller(caller, subject === undefined ? null : below(subject), [
    sql<{ node: EntityNode }>`
      select entity_node(e) as node from entities e
      where e.tenant_id = current_tenant()
        and ${subjects === null ? sql`e.subject = ${subject}` : within(sql`e.subject`, subjects)}
        ${type === undefined ? sql`` : sql`and e.type = ${type}`}
        ${cursor === undefined ? sql`` : sql`and e.id > ${cursor}::uuid`}
        ${q === undefined ? sql`` : sql`and e.id = any(array(${named(q, subject)}))`}
        and ${entityVisible(null, now)}
      order by e.id limit ${limit + 1}::int`,
  ])
  const items = rows[0].slice(0, limit).map((row) => row.node)
  return { items, nextCursor: rows[0].length > limit ? (items.at(-1)?.id ?? null) : null }
}

/** Entities with each word of `q` in their name, or in one that was merged into them, in one spelling of the word or another; words that say nothing are left out. */
function named(q: string, subject: string | undefined): Statement {
  const telling = new Set(queryTerms(q))
  const words = q
    .split(/\s+/)
    .map((word) => terms(word).flatMap(({ term }) => (telling.has(term) ? [term] : [])))
    .filter((spellings) => spellings.length > 0)
  const pairs = words.flatMap((spellings, word) => spellings.map((term) => ({ word, term })))
  return sql`
    select coalesce(n.kept_id, n.id)
    from (
      select t.entity_id from jsonb_to_recordset(${JSON.stringify(pairs)}::jsonb) as w (word int, term int)
      join entity_terms t on t.tenant_id = current_tenant() and t.term = any(${pairs.map((pair) => pair.term)}::int[]) and t.term = w.term
        ${subject === undefined ? sql`` : sql`and t.subject = subject_number(${subject})`}
      group by t.entity_id having count(distinct w.word) = ${words.length}::int) t
    cross join lateral (select n.id, n.kept_id from entities n where n.tenant_id = current_tenant() and n.id = t.entity_id offset 0) n`
}
