import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import { introduce } from '../keys/introduce.ts'
import { Moment } from '../memories/fields.ts'
import { inside } from '../namespaces/inside.sql.ts'
import { below, granted } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'

export const AuditEntry = z
  .object({
    id: z.string(),
    at: z.string(),
    actor: z.string().meta({ description: 'The id of the key, or `system` for what no request did.' }),
    actorName: z.string().nullable().meta({ description: 'What the key is called.' }),
    onBehalfOf: z.string().nullable().meta({ description: 'Whom the key acted for, as its holder said in X-On-Behalf-Of.' }),
    requestId: z.string().nullable(),
    action: z.string().meta({ description: 'The name of the operation, or of what happened by itself.' }),
    target: z.string().nullable().meta({ description: 'The id of what was read or changed, where it was one thing.' }),
    namespace: z.string().nullable().meta({ description: 'Where it lies, or what was looked through; null: everything.' }),
    version: z.number().nullable().meta({ description: 'The version that was made.' }),
    outcome: z.string().meta({ description: '`ok`, or the code of the refusal.' }),
  })
  .meta({ id: 'AuditEntry' })
export type AuditEntry = z.infer<typeof AuditEntry>

/** The last entry of a page. */
export const Position = z.strictObject({ at: Moment, id: z.string().regex(/^\d{1,18}$/) })
export type Position = z.infer<typeof Position>

export interface AuditQuery {
  namespacePrefix?: string | undefined
  memoryId?: string | undefined
  actor?: string | undefined
  onBehalfOf?: string | undefined
  action?: string | undefined
  /** Nothing earlier than this. */
  since?: string | undefined
  limit: number
  after: Position | null
}

/**
 * Who did what to what, newest first, as far as the caller's grants reach; what was asked of everything at once is seen
 * by whoever may see everything. A read is there within a second of its answer. Refuses `forbidden` for a prefix outside the grant.
 */
export async function listAudit(deps: Deps, caller: Caller, query: AuditQuery): Promise<{ items: AuditEntry[]; next: Position | null }> {
  const { namespacePrefix, limit } = query
  const ranges = namespacePrefix === undefined ? granted((await introduce(deps, caller, null)).grants) : below(namespacePrefix)
  const { rows } = await deps.db.asCaller(caller, ranges, [
    sql<AuditEntry>`
      select a.id::text as id, iso(a.at) as at, a.actor, k.name as "actorName", a.on_behalf_of as "onBehalfOf", a.request_id as "requestId",
        a.action, a.target, nullif(a.namespace, '') as namespace, a.version, a.outcome
      from (
        select * from audit_log a
        where a.tenant_id = current_tenant() and ${inside(sql`a.namespace`, ranges)} and ${conditions(query)}
        order by a.at desc, a.id desc limit ${limit + 1}::int) a
      left join api_keys k on k.tenant_id = a.tenant_id and k.id::text = a.actor
      order by a.at desc, a.id desc`,
  ])
  const items = rows[0].slice(0, limit)
  const last = items.at(-1)
  return { items, next: rows[0].length > limit && last ? { at: last.at, id: last.id } : null }
}

function conditions({ memoryId, actor, onBehalfOf, action, since, after }: AuditQuery): Statement {
  const when = (given: unknown, condition: Statement): Statement => (given === undefined || given === null ? sql`true` : condition)
  return sql`${when(memoryId, sql`a.target = ${memoryId}::uuid`)} and ${when(actor, sql`a.actor = ${actor}`)}
    and ${when(onBehalfOf, sql`a.on_behalf_of = ${onBehalfOf}`)} and ${when(action, sql`a.action = ${action}`)}
    and ${when(since, sql`a.at >= ${since}::timestamptz`)}
    and ${when(after, sql`a.at <= ${after?.at}::timestamptz and (a.at < ${after?.at}::timestamptz or a.id < ${after?.id}::bigint)`)}`
}
