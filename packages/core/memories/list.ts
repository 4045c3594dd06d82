import type { Caller } from '@twofold/operation/caller.ts'
import { introduce } from '../keys/introduce.ts'
import { inside } from '../namespaces/inside.sql.ts'
import { below, exactly, granted } from '../namespaces/namespace.ts'
import { firstOf } from '../page.ts'
import type { Deps, Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { currentAt, live, unexpired } from './live.sql.ts'
import type { Memory } from './memory.ts'

export interface Listing {
  namespace?: string
  namespacePrefix?: string
  type?: string
  kind?: string
  key?: string
  tag?: string
  createdBy?: string
  sessionId?: string
  taskId?: string
  updatedSince?: string
  includeDeleted?: boolean
  asOf?: string
  /** Over `m`, beside all that. Not together with `asOf`. */
  condition?: Statement
  limit: number
  /** The id after which to go on. */
  after: string | null
}

/** The namespaces that a request names; null when it names none. */
const rangesOf = (input: { namespace?: string; namespacePrefix?: string }): Range[] | null =>
  input.namespace !== undefined ? exactly(input.namespace) : input.namespacePrefix !== undefined ? below(input.namespacePrefix) : null

/**
 * Memories by id, which is by creation; a page goes on after the last id of the one before it, whatever was written
 * meanwhile. Without a namespace it covers what the key was last known to be granted, as ranges that an index knows (the
 * database checks again that it still is): a narrow key would otherwise read all of its tenant. Fewer than `limit` where
 * they are large.
 */
export async function list(deps: Deps, caller: Caller, listing: Listing): Promise<{ items: Memory[]; next: string | null }> {
  const ranges = rangesOf(listing) ?? granted((await introduce(deps, caller, null)).grants)
  const now = deps.now().toISOString()
  const { rows } = await deps.db.asCaller(caller, ranges, [
    listing.asOf === undefined ? current(listing, ranges, now) : past(listing, listing.asOf, ranges, now),
  ])
  const page = firstOf(rows[0], listing.limit)
  const items = page.rows.map((row) => row.memory)
  return { items, next: page.more ? (items.at(-1)?.id ?? null) : null }
}

type Row = { memory: Memory }

const when = (given: unknown, condition: Statement): Statement => (given === undefined ? sql`true` : condition)

/** One namespace as an equation: its index then yields the memories in their order, and a page reads a page. */
const placed = (q: Listing, ranges: Range[]): Statement =>
  q.namespace === undefined ? inside(sql`m.namespace`, ranges) : sql`(m.namespace = ${q.namespace} and visible(m.namespace))`

const current = (q: Listing, ranges: Range[], now: string): Statement<Row> => sql<Row>`
  select m.json as memory
  from readable_memories m
  where m.tenant_id = current_tenant() and ${placed(q, ranges)} and ${q.includeDeleted ? unexpired(now) : live(now)}
    and ${when(q.type, sql`m.type = ${q.type}`)} and ${when(q.kind, sql`m.kind = ${q.kind}`)} and ${when(q.key, sql`m.key = ${q.key}`)}
    and ${when(q.tag, sql`${q.tag} = any(m.tags)`)} and ${when(q.createdBy, sql`m.created_by = ${q.createdBy}`)}
    and ${when(q.sessionId, sql`m.session_id = ${q.sessionId}`)} and ${when(q.taskId, sql`m.task_id = ${q.taskId}`)}
    and ${when(q.updatedSince, sql`m.updated_at >= ${q.updatedSince}::timestamptz`)} and ${when(q.after ?? undefined, sql`m.id > ${q.after}::uuid`)} and ${q.condition ?? sql`true`}
  order by m.id limit ${q.limit + 1}::int`

/** As it was then: of each memory the last version made until then, unless that was its deletion, or is not kept. */
const past = (q: Listing, asOf: string, ranges: Range[], now: string): Statement<Row> => sql<Row>`
  select v.memory from (
    select distinct on (v.memory_id) v.memory_id, v.memory, v.ended_at
    from memory_versions v join readable_memories m on m.tenant_id = v.tenant_id and m.id = v.memory_id
    where v.tenant_id = current_tenant() and ${inside(sql`v.namespace`, ranges)} and v.at <= ${asOf}::timestamptz
      and ${unexpired(now)} and ${when(q.after ?? undefined, sql`v.memory_id > ${q.after}::uuid`)}
    order by v.memory_id, v.version desc) v
  where ${currentAt(asOf)} and (${q.includeDeleted ?? false}::boolean or v.memory->>'deletedAt' is null)
    and ${when(q.type, sql`v.memory->>'type' = ${q.type}`)} and ${when(q.kind, sql`v.memory->>'kind' = ${q.kind}`)}
    and ${when(q.key, sql`v.memory->>'key' = ${q.key}`)} and ${when(q.tag, sql`v.memory->'tags' ? ${q.tag}`)}
    and ${when(q.createdBy, sql`v.memory->>'createdBy' = ${q.createdBy}`)}
    and ${when(q.sessionId, sql`v.memory->>'sessionId' = ${q.sessionId}`)} and ${when(q.taskId, sql`v.memory->>'taskId' = ${q.taskId}`)}
    and ${when(q.updatedSince, sql`(v.memory->>'updatedAt')::timestamptz >= ${q.updatedSince}::timestamptz`)}
  order by v.memory_id limit ${q.limit + 1}::int`
