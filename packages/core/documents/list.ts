import type { Caller } from '@twofold/operation/caller.ts'
import { introduce } from '../keys/introduce.ts'
import { inside } from '../namespaces/inside.sql.ts'
import { below, exactly, granted } from '../namespaces/namespace.ts'
import { firstOf } from '../page.ts'
import type { Deps, Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { type Document, type STATUSES, sha256 } from './document.ts'
import { selectDocument, there } from './documents.sql.ts'

export interface Place {
  namespace?: string
  namespacePrefix?: string
}

export interface Listing extends Place {
  filePath?: string
  syncStatus?: (typeof STATUSES)[number]
  documentType?: string
  contentHash?: string
  updatedSince?: string
  limit: number
  /** The id after which to go on. */
  after: string | null
}

/** Where a request looks: what it names, or what its key was last known to be granted. */
export async function rangesOf(deps: Deps, caller: Caller, place: Place): Promise<Range[]> {
  if (place.namespace !== undefined) return exactly(place.namespace)
  if (place.namespacePrefix !== undefined) return below(place.namespacePrefix)
  return granted((await introduce(deps, caller, null)).grants)
}

/** Documents by id, which is by creation; a page goes on after the last id of the one before it. Fewer than `limit` where they are large. Refuses `forbidden` outside of the grant. */
export async function listDocuments(deps: Deps, caller: Caller, listing: Listing): Promise<{ items: Document[]; next: string | null }> {
  const ranges = await rangesOf(deps, caller, listing)
  const where = sql`${conditionOf(listing, ranges, deps.embedder.model)} and ${when(listing.after ?? undefined, sql`d.id > ${listing.after}::uuid`)}
    order by d.id limit ${listing.limit + 1}::int`
  const { rows } = await deps.db.asCaller(caller, ranges, [selectDocument(where, deps.embedder.model)])
  const page = firstOf(rows[0], listing.limit)
  const items = page.rows.map(({ document }) => document)
  return { items, next: page.more ? (items.at(-1)?.id ?? null) : null }
}

const when = (given: unknown, condition: Statement): Statement => (given === undefined ? sql`true` : condition)

/** One namespace as an equation, so that a path in it is looked up. */
const placed = ({ namespace }: Place, ranges: readonly Range[]): Statement =>
  namespace === undefined ? inside(sql`d.namespace`, ranges) : sql`(d.namespace = ${namespace} and visible(d.namespace))`

const conditionOf = (q: Listing, ranges: readonly Range[], model: string): Statement =>
  there(sql`${placed(q, ranges)} and ${when(q.filePath, sql`d.path_hash = ${sha256(q.filePath ?? '')}`)}
    and ${q.syncStatus === undefined ? sql`true` : inStatus(q.syncStatus, model)} and ${when(q.documentType, sql`d.document_type = ${q.documentType}`)}
    and ${when(q.contentHash, sql`d.content_hash = ${q.contentHash}`)} and ${when(q.updatedSince, sql`d.updated_at >= ${q.updatedSince}::timestamptz`)}`)

/** Synced with another model is stale: spelled out as two ranges, which an index knows. */
const inStatus = (status: NonNullable<Listing['syncStatus']>, model: string): Statement => {
  if (status === 'synced') return sql`(d.sync_status = 'synced' and d.embedding_model = ${model})`
  if (status === 'stale') return sql`(d.sync_status = 'synced' and ${ofAnother(model)})`
  return sql`d.sync_status = ${status}`
}

export const ofAnother = (model: string): Statement =>
  sql`(d.embedding_model < ${model} collate "C" or d.embedding_model > ${model} collate "C")`
