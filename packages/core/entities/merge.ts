import type { Caller } from '@twofold/operation/caller.ts'
import { invalid } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import { afterWriting, Replay } from '../failures.ts'
import { EntityNode } from '../graph/node.ts'
import { claim } from '../idempotency.ts'
import type { CacheState } from '../memories/answer.ts'
import { MemoryId } from '../memories/fields.ts'
import { Receipt } from '../memories/memory.ts'
import { announce, type InSession, type Written } from '../memories/remember.ts'
import { gone } from '../memories/replay.ts'
import { below } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import type { Statement } from '../sql.ts'
import { receiptOf, WaitFor } from './explicit.ts'
import { auditEntities, join, lockEntities, part, refuseApart, refuseLarge, refuseMerged, selectRaw, standing } from './merge.sql.ts'
import { noEntity, selectEntity } from './read.ts'

/** Mentions and relations that one merger moves at most. */
const MOST_MOVED = 10_000
/** Memories and entities that are brought into the graph at once, or that the writer is told of; the others are found by the sweep. */
const MOST_TOLD = 500

export const MergeInput = z.strictObject({
  id: MemoryId.meta({ description: 'Of the entity that becomes another name of `into`.' }),
  into: MemoryId.meta({ description: 'Of the entity that is kept, of the same subject.' }),
  waitFor: WaitFor,
})
export type MergeInput = z.infer<typeof MergeInput>

export const Merged = z.object({ entity: EntityNode.meta({ description: 'The one that is kept.' }), merged: EntityNode, receipt: Receipt })
export type Merged = z.infer<typeof Merged>

export const UnmergeInput = MergeInput.omit({ into: true })
export type UnmergeInput = z.infer<typeof UnmergeInput>

export const Unmerged = z.object({
  entity: EntityNode.meta({ description: 'The one that stands for itself again.' }),
  from: EntityNode.meta({ description: 'The one it was merged into.' }),
  receipt: Receipt,
})
export type Unmerged = z.infer<typeof Unmerged>

/**
 * Makes two entities of one subject one: whatever mentions, relates or links the first means the other from now on, also
 * what names it later. It can be undone. Refuses `not_found`, `invalid` for two subjects or the same entity twice,
 * `conflict` when it is merged already, `forbidden` where no grant covers the subject as a whole.
 */
export async function mergeEntities(
  deps: Deps,
  caller: Caller,
  { id, into, waitFor }: MergeInput,
  options: InSession = {},
): Promise<Written<Merged>> {
  const now = deps.now().toISOString()
  const { rows } = await deps.db.asCaller(caller, null, [selectEntity(id, now), selectEntity(into, now)])
  const [one, other] = [rows[0][0], rows[1][0]]
  if (!one || !other) throw noEntity()
  if (one.subject !== other.subject)
    throw invalid([{ path: 'into', message: 'must be of the same subject: nothing in the graph crosses from one to another' }])
  if (other.id === id) throw invalid([{ path: 'into', message: 'must be another entity, and not merged into this one' }])
  const ids = [id, other.id]
  const statements = [
    ...lockEntities(ids),
    ...refuseMerged(id, other.id),
    refuseLarge(id, MOST_MOVED),
    ...join(id, other.id, now, MOST_TOLD),
    auditEntities('entities.merge', ids, now),
  ]
  const { nodes, ...written } = await change(
    deps,
    caller,
    { ids, subject: one.subject, statements, now },
    { ...options, waits: waitFor === 'graph' },
  )
  return answered(written, { merged: nodes[0] as EntityNode, entity: nodes[1] as EntityNode })
}

/**
 * Undoes a merger: what was said by the name of this entity, before or since, means it again, and nothing else does.
 * Refuses `not_found`, `conflict` for what is not merged, `forbidden` where no grant covers the subject as a whole.
 */
export async function unmergeEntity(
  deps: Deps,
  caller: Caller,
  { id, waitFor }: UnmergeInput,
  options: InSession = {},
): Promise<Written<Unmerged>> {
  const now = deps.now().toISOString()
  const { rows } = await deps.db.asCaller(caller, null, [selectEntity(id, now)])
  const kept = rows[0][0]
  if (!kept) throw noEntity()
  const ids = [id, kept.id]
  const statements = [
    ...lockEntities(ids),
    ...refuseApart(id, kept.id),
    ...part(id, now, MOST_TOLD),
    auditEntities('entities.unmerge', ids, now),
  ]
  const { nodes, ...written } = await change(
    deps,
    caller,
    { ids, subject: kept.subject, statements, now },
    { ...options, waits: waitFor === 'graph' },
  )
  return answered(written, { entity: nodes[0] as EntityNode, from: nodes[1] as EntityNode })
}

const answered = <T extends object>(
  { receipt, replayed }: Pick<Changed, 'receipt' | 'replayed'>,
  nodes: T,
): Written<T & { receipt: Receipt }> => ({
  answer: { ...nodes, receipt },
  replayed,
})

interface Change {
  ids: readonly string[]
  subject: string
  statements: readonly Statement[]
  now: string
}

interface Changed {
  nodes: EntityNode[]
  receipt: Receipt
  replayed: boolean
}

/** The one statement list of either, then the graph; a request that was answered before is answered by what it named. */
async function change(
  deps: Deps,
  caller: Caller,
  { ids, subject, statements, now }: Change,
  { waits, session }: InSession & { waits: boolean },
): Promise<Changed> {
  const ranges = below(subject)
  const targets = ids.map((id) => ({ id }))
  const before = [...claim(caller, targets, now), ...statements]
  try {
    const { authorized, rows } = await deps.db.asCaller(caller, ranges, [...before, selectRaw(ids), standing(ids)], {
      write: true,
      repeatable: caller.idempotency !== null,
    })
    const [nodes, stands] = rows.slice(-2) as unknown as [{ node: EntityNode }[], Parameters<typeof receiptOf>[1]]
    const moved = (rows as unknown as { ids?: string[] | null }[][]).flatMap((each) => each[0]?.ids ?? [])
    const written = [...new Set([...ids, ...moved])].map((id) => ({ id, subject }))
    const atOnce = (waits || session !== undefined) && deps.settings.graphEnabled
    const cache = await announce(deps, caller, authorized, written, { atOnce, session })
    const seen = atOnce ? (await afterWriting(deps.db.asTenant(authorized.tenant, [standing(written.map(({ id }) => id))])))[0] : stands
    return changed(deps, nodes, seen, now, cache, false)
  } catch (error) {
    if (!(error instanceof Replay)) throw error
    const known = error.targets.flatMap(({ id }) => (id ? [id] : []))
    const { rows } = await afterWriting(deps.db.asCaller(caller, ranges, [selectRaw(known), standing(known)]))
    if (rows[0].length < known.length) throw gone()
    return changed(deps, rows[0], rows[1], now, 'written', true)
  }
}

const changed = (
  deps: Deps,
  nodes: readonly { node: EntityNode }[],
  stands: Parameters<typeof receiptOf>[1],
  now: string,
  cache: CacheState,
  replayed: boolean,
): Changed => ({ nodes: nodes.map(({ node }) => node), receipt: receiptOf(deps, stands, now, cache), replayed })
