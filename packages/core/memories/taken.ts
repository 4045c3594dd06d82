import { Refusal } from '@twofold/operation/refusal.ts'
import { type Statement, sql } from '../sql.ts'
import type { Draft } from './draft.ts'

export interface TakenItem {
  /** Position in the list of drafts. */
  index: number
  id: string
  /** The same id with the same request: an answer, not a conflict. */
  same: boolean
  /** Still waiting for the graph in rollback mode: may yet be withdrawn. */
  pending: boolean
  by: 'id' | 'key'
}

/** Some drafts have an id or a live key that exists already; all of them, so that a batch needs one more try and not one each. */
export class Taken extends Error {
  override readonly name = 'Taken'
  readonly items: readonly TakenItem[]

  constructor(items: readonly TakenItem[]) {
    super('taken')
    this.items = items
  }
}

/** Raises for drafts whose id or live key is taken, before anything is written. Keys are looked up one by one: a join read all that the tenant has. */
export const refuseTaken = (drafts: readonly Draft[]): Statement => sql`
  with w as (
    select * from jsonb_to_recordset(${JSON.stringify(
      drafts.map((d, index) => ({ index, id: d.id, namespace: d.namespace, key: d.key, hash: d.requestHash })),
    )}::jsonb) as w (index int, id uuid, namespace text, key text, hash text)),
  taken as (
    select w.index, m.id, m.pending_until is not null as pending, 'id' as by, coalesce(encode(v.request_hash, 'hex') = w.hash, false) as same
    from w
    join memories m on m.tenant_id = current_tenant() and m.id = any(${drafts.map((d) => d.id)}::uuid[]) and m.id = w.id
    left join memory_versions v on v.tenant_id = m.tenant_id and v.memory_id = m.id and v.version = 1
    union all
    select w.index, m.id, m.pending_until is not null, 'key', false
    from w
    cross join lateral (
      select m.id, m.pending_until from memories m
      where m.tenant_id = current_tenant() and m.namespace = w.namespace and m.key = w.key and m.deleted_at is null offset 0) m
    where m.id <> w.id)
  select refuse('conflict', 'taken', jsonb_build_object('taken', jsonb_agg(taken))) from taken having count(*) > 0`

/** The `Taken` that a list raised, or null for every other failure. */
export function takenOf(error: unknown): Taken | null {
  return error instanceof Refusal && Array.isArray(error.details.taken) ? new Taken(error.details.taken as TakenItem[]) : null
}

/** What a caller is told of an item that is taken and not the same request. */
export function conflict(item: TakenItem): Refusal {
  if (item.pending) return new Refusal('in_progress', `A write with this ${item.by} is still running.`, { retryAfterMs: 500 })
  return item.by === 'id'
    ? new Refusal('conflict', 'A memory with this id exists and was made by another request.')
    : new Refusal('conflict', 'A live memory with this key exists in this namespace.', { id: item.id })
}
