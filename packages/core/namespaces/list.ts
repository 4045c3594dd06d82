import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import { introduce } from '../keys/introduce.ts'
import { TYPES } from '../memories/fields.ts'
import { unexpired } from '../memories/live.sql.ts'
import type { Deps, Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { below, granted } from './namespace.ts'

/** A namespace may hold all that a tenant has: counted to the end, a page would cost what lies in it. */
const MOST_COUNTED = 1000

export const NamespaceItem = z
  .object({
    name: z.string(),
    counts: z.object({
      memories: z.number(),
      semantic: z.number(),
      episodic: z.number(),
      procedural: z.number(),
      more: z.boolean().meta({ description: `There are more: of each type up to ${MOST_COUNTED} are counted.` }),
    }),
    updatedAt: z.string(),
  })
  .meta({ id: 'NamespaceItem' })
export type NamespaceItem = z.infer<typeof NamespaceItem>

export interface NamespaceListing {
  prefix?: string
  limit: number
  /** The name after which to go on. */
  after: string | null
}

/**
 * The namespaces that have memories, by name, with how many there are and when the last of them changed: those below `prefix`,
 * else all that the key was last known to be granted. Refuses `forbidden` for a prefix outside the grant.
 */
export async function listNamespaces(
  deps: Deps,
  caller: Caller,
  { prefix, limit, after }: NamespaceListing,
): Promise<{ items: NamespaceItem[]; next: string | null }> {
  const ranges = prefix === undefined ? granted((await introduce(deps, caller, null)).grants) : below(prefix)
  const { rows } = await deps.db.asCaller(caller, ranges, [selectNamespaces(ranges, after ?? '', limit + 1, deps.now().toISOString())])
  const page = rows[0].slice(0, limit)
  // Of one whose memories have all expired and wait for the sweep there is nothing to tell.
  const items = page.filter((item) => item.updatedAt !== null)
  return { items, next: rows[0].length > limit ? (page.at(-1)?.name ?? null) : null }
}

const there = (now: string): Statement => sql`from memories m
  where m.tenant_id = current_tenant() and m.namespace = n.name and m.deleted_at is null and m.pending_until is null and ${unexpired(now)}`

/**
 * From each name to the next by one look into an index, so that a page costs what its names cost and not what lies between
 * them: fifty names among 100,000 memories take 0.6 ms. What is in each is counted in an index too, up to a bound.
 */
const selectNamespaces = (
  ranges: readonly Range[],
  after: string,
  most: number,
  now: string,
): Statement<NamespaceItem> => sql<NamespaceItem>`
  with recursive names (name, nth) as (
    select ${after}::text collate "C", 0
    union all
    select (
      select min(next.namespace collate "C")
      from unnest(${ranges.map((r) => r.low)}::text[], ${ranges.map((r) => r.high)}::text[]) r (low, high)
      cross join lateral (
        select m.namespace from memories m
        where m.tenant_id = current_tenant() and m.deleted_at is null and m.pending_until is null
          and m.namespace > names.name and m.namespace >= r.low collate "C" and m.namespace < r.high collate "C"
        order by m.namespace limit 1) next
      where r.high > names.name), names.nth + 1
    from names where names.name is not null and names.nth < ${most}::int)
  select n.name, c.counts || jsonb_build_object('memories', c.memories, 'more', c.more) as counts, iso(l.updated_at) as "updatedAt"
  from names n
  cross join lateral (
    select jsonb_object_agg(t.type, f.n) as counts, sum(f.n) as memories, bool_or(f.n = ${MOST_COUNTED}::int) as more
    from unnest(${TYPES}::text[]) t (type)
    cross join lateral (select count(*) as n from (select ${there(now)} and m.type = t.type order by m.id limit ${MOST_COUNTED}::int) m) f) c
  left join lateral (select m.updated_at ${there(now)} order by m.updated_at desc limit 1) l on true
  where n.nth > 0 and n.name is not null
  order by n.nth`
