import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import { noChunk } from '../documents/belongs.sql.ts'
import { Replay, type ReplayTarget } from '../failures.ts'
import { claim } from '../idempotency.ts'
import { inside } from '../namespaces/inside.sql.ts'
import { below, exactly, Name, Namespace, NamespacePrefix } from '../namespaces/namespace.ts'
import type { Deps, Range } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { onePlace } from './fields.ts'
import { BoundedFilter, filterSql } from './filter.ts'
import { erase, lockAll, type Removed, releaseKeys, retire, unlink, versionsOf } from './forget.sql.ts'
import { forgetTexts } from './forget.ts'
import { live } from './live.sql.ts'
import { announce, type Written } from './remember.ts'
import { auditMemories, deletePostings, oweMemories, relabelEmbeddings } from './write.sql.ts'

export const ForgetAll = z
  .strictObject({
    namespace: Namespace.optional(),
    namespacePrefix: NamespacePrefix.optional(),
    userId: Name.optional(),
    filter: BoundedFilter.optional(),
    hard: z
      .boolean()
      .default(false)
      .meta({ description: 'Remove every version, vector and graph node for good, of what is softly deleted too.' }),
    dryRun: z.boolean().default(false).meta({ description: 'Only count what would be deleted.' }),
  })
  .superRefine((input, context) => {
    onePlace(input, context)
    if (input.namespace === undefined && input.namespacePrefix === undefined && input.userId === undefined)
      context.addIssue({ code: 'custom', path: ['namespace'], message: 'is required, or namespacePrefix or userId in its place' })
  })

export interface ForgettingAll {
  namespace?: string
  namespacePrefix?: string
  userId?: string
  filter?: z.infer<typeof BoundedFilter>
  hard: boolean
  dryRun: boolean
  /** The id after which to go on. */
  after: string | null
}

export interface ForgottenAll {
  matched: number
  deleted: number
  /** Where the next call goes on; null when everything was looked at. */
  next: string | null
}

/** What one call looks at, and what it deletes: the latter in one transaction, so by how much text it is as well. */
const MOST_LOOKED_AT = 20_000
const MOST_DELETED = 500
const MOST_BYTES = 2_000_000

/**
 * Deletes the memories of a place, or those of them that a filter picks, in the order of their ids; each is audited and owed
 * to the graph as if deleted by itself. One call does a bounded part and says where the next goes on; what it counts is its
 * part. One that changes at this very moment is looked at again. Refuses `forbidden` for a place outside the grant.
 */
export async function forgetAll(deps: Deps, caller: Caller, input: ForgettingAll): Promise<Written<ForgottenAll>> {
  const ranges = rangesOf(input)
  for (;;) {
    const { rows } = await deps.db.asCaller(caller, ranges, [chosen(input, ranges, deps.now().toISOString())])
    const choice = rows[0][0] as Chosen
    if (input.dryRun) return { answer: { matched: choice.matched, deleted: 0, next: choice.looked_to }, replayed: false }
    try {
      return { answer: await forgetChosen(deps, caller, ranges, input.hard, choice), replayed: false }
    } catch (error) {
      if (error instanceof Replay) return { answer: answerOf(error.targets), replayed: true }
      if (!(error instanceof Refusal && error.code === 'version_mismatch')) throw error
    }
  }
}

const rangesOf = ({ namespace, namespacePrefix, userId }: ForgettingAll): Range[] =>
  namespace !== undefined ? exactly(namespace) : below(namespacePrefix ?? `user:${userId}`)

interface Chosen {
  /** Of those looked at, how many the filter picks. */
  matched: number
  /** The last of them when there may be more. */
  looked_to: string | null
  /** Those that one call deletes; null: none. */
  chosen: { id: string; version: number; subject: string }[] | null
}

const chosen = ({ filter, hard, after, namespace }: ForgettingAll, ranges: readonly Range[], now: string): Statement<Chosen> => sql<Chosen>`
  with looked as materialized (
    select m.id, m.version, m.subject, ${filterSql(filter)} as hit, (500 + octet_length(m.content)) * ${hard ? sql`m.version` : sql`1`} as bytes
    from readable_memories m
    where m.tenant_id = current_tenant() and ${namespace === undefined ? inside(sql`m.namespace`, ranges) : sql`(m.namespace = ${namespace} and visible(m.namespace))`}
      and ${noChunk} and ${hard ? sql`true` : live(now)} and ${after === null ? sql`true` : sql`m.id > ${after}::uuid`}
    order by m.id limit ${MOST_LOOKED_AT}::int),
  hits as (select id, version, subject, row_number() over w as nth, sum(bytes) over w - bytes as before from looked where hit window w as (order by id))
  select (select count(*) from looked where hit)::int as matched,
    (select max(id::text)::uuid from looked having count(*) = ${MOST_LOOKED_AT}::int) as looked_to,
    (select jsonb_agg(jsonb_build_object('id', id, 'version', version, 'subject', subject) order by id) from hits
      where nth <= ${MOST_DELETED}::int and before < ${MOST_BYTES}::bigint) as chosen`

/** Targets of a request: each memory it deleted, and then where the next one goes on. */
const MORE = 'more'

function answerOf(targets: readonly Partial<ReplayTarget>[]): ForgottenAll {
  const next = targets.find((target) => target.code === MORE)?.id ?? null
  const deleted = targets.filter((target) => !target.code).length
  return { matched: deleted, deleted, next }
}

async function forgetChosen(
  deps: Deps,
  caller: Caller,
  ranges: readonly Range[],
  hard: boolean,
  { chosen, matched, looked_to }: Chosen,
): Promise<ForgottenAll> {
  const memories = chosen ?? []
  const ids = memories.map(({ id }) => id)
  // Up to where everything that matched is gone.
  const next = ids.length < matched ? (ids.at(-1) ?? null) : looked_to
  const targets = [...ids.map((id) => ({ id })), ...(next === null ? [] : [{ id: next, code: MORE }])]
  if (ids.length === 0 && !caller.idempotency) return answerOf(targets)
  // Before the rows as well: of a process that dies in between nobody would know which texts were theirs.
  if (hard) await forgetTexts(deps, (await deps.db.asCaller(caller, ranges, [versionsOf(ids)])).rows[0])
  // Not before that reading: an idempotency key is kept for a day from here.
  const now = deps.now().toISOString()
  const removal = hard ? erase(ids) : retire(ids, { action: 'memories.delete', reason: null, now })
  const owed = deps.settings.graphEnabled ? [oweMemories(ids, now)] : []
  const statements: Statement[] = [
    ...claim(caller, targets, now),
    ...lockAll(memories),
    deletePostings(ids),
    ...unlink(ids, true, now),
    ...(hard ? [auditMemories('memories.delete_hard', ids, now), ...owed, releaseKeys(ids)] : []),
    removal,
    ...(hard ? [] : [relabelEmbeddings(ids), auditMemories('memories.delete', ids, now), ...owed]),
  ]
  const { authorized, rows } = await deps.db.asCaller(caller, ranges, statements, { write: true, repeatable: caller.idempotency !== null })
  if (hard) await forgetTexts(deps, rows[statements.indexOf(removal)] as unknown as Removed[])
  if (ids.length > 0) await announce(deps, caller, authorized, memories)
  return answerOf(targets)
}
