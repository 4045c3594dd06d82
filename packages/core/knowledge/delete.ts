import type { Caller } from '@twofold/operation/caller.ts'
import { Refusal } from '@twofold/operation/refusal.ts'
import * as z from 'zod-own'
import { normalize } from '../entities/mentions.ts'
import { selectAnswers } from '../memories/answer.ts'
import { redraft } from '../memories/draft.ts'
import { lockAll, retire, unlink } from '../memories/forget.sql.ts'
import type { Changes } from '../memories/input.ts'
import type { Memory } from '../memories/memory.ts'
import { notFound, readable } from '../memories/read.ts'
import { announce } from '../memories/remember.ts'
import { revise } from '../memories/update.ts'
import { auditMemories, deletePostings, oweMemories, relabelEmbeddings } from '../memories/write.sql.ts'
import { below, exactly } from '../namespaces/namespace.ts'
import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import { type Edge, type KnownRow, releaseEntities, removeLinks, removeLinksOf, selectMentioning, selectSaying } from './knowledge.sql.ts'
import { as, find, KnownRelation, MOST_ENTITIES, Name, needing, place, whereIn } from './knowledge.ts'

export const DeleteEntitiesInput = z.strictObject({
  ...place,
  entityNames: z.array(Name).max(MOST_ENTITIES).describe('An array of entity names to delete'),
})
export const DeleteObservationsInput = z.strictObject({
  ...place,
  deletions: z
    .array(
      z.strictObject({
        entityName: Name.describe('The name of the entity containing the observations'),
        observations: z.array(z.string().max(100_000)).max(500).describe('An array of observations to delete'),
      }),
    )
    .max(200),
})
export const DeleteRelationsInput = z.strictObject({
  ...place,
  relations: z.array(KnownRelation.strict()).max(200).describe('An array of relations to delete'),
})
export const Deleted = z.object({ success: z.boolean(), message: z.string() })

/** Memories looked at in one round. */
const ROUND = 500

/**
 * Deletes entities, their links, and softly what was observed of them alone; a memory that mentions others too goes on
 * without them. What nobody knows is passed over. An entity that another namespace of its subject mentions stays there.
 */
export async function deleteEntities(
  deps: Deps,
  caller: Caller,
  { namespace, entityNames }: z.output<typeof DeleteEntitiesInput>,
): Promise<void> {
  await needing(deps, caller, namespace, 'graph:write', 'memories:write')
  const gone = [...new Set((await find(deps, caller, namespace, entityNames)).values())]
  if (gone.length === 0) return
  await forgetMentions(deps, caller, namespace, gone, null)
  const { subject, now } = whereIn(deps, namespace)
  const ids = gone.map(({ id }) => id)
  const { authorized, rows } = await deps.db.asCaller(
    as(caller, 'graph:write'),
    below(subject),
    [removeLinksOf(ids, now), ...releaseEntities(ids, now)],
    { write: true, repeatable: true },
  )
  await announce(deps, caller, authorized, rows[0] as { id: string; subject: string }[])
}

/** Deletes what was observed of entities, softly. What nobody knows is passed over. */
export async function deleteObservations(
  deps: Deps,
  caller: Caller,
  { namespace, deletions }: z.output<typeof DeleteObservationsInput>,
): Promise<void> {
  const known = await find(
    deps,
    caller,
    namespace,
    deletions.map(({ entityName }) => entityName),
  )
  for (const { entityName, observations } of deletions) {
    const entity = known.get(normalize(entityName))
    if (entity && observations.length > 0) await forgetMentions(deps, caller, namespace, [entity], observations)
  }
}

/** Deletes relations: links, and what memories of the namespace say of them. What nobody knows is passed over. */
export async function deleteRelations(
  deps: Deps,
  caller: Caller,
  { namespace, relations }: z.output<typeof DeleteRelationsInput>,
): Promise<void> {
  const known = await find(
    deps,
    caller,
    namespace,
    relations.flatMap(({ from, to }) => [from, to]),
  )
  const edges = relations.flatMap(({ from, to, relationType }): Edge[] => {
    const [f, t] = [known.get(normalize(from)), known.get(normalize(to))]
    return f && t ? [{ from_id: f.id, type: relationType, to_id: t.id }] : []
  })
  if (edges.length === 0) return
  const at = whereIn(deps, namespace)
  const { authorized, rows } = await deps.db.asCaller(
    as(caller, 'graph:write'),
    below(at.subject),
    [removeLinks(edges, at.now), selectSaying(at, edges, ROUND)],
    { write: true, repeatable: true },
  )
  const gone = new Set(edges.map(({ from_id, type, to_id }) => JSON.stringify([from_id, type, to_id])))
  const meant = (name: string) => known.get(normalize(name))?.id
  const unsaid = (memory: Memory): Changes => ({
    entities: memory.entities,
    relations: memory.relations.filter(({ from, type, to }) => !gone.has(JSON.stringify([meant(from.value), type, meant(to.value)]))),
  })
  for (const { id } of rows[1]) await change(deps, caller, id, unsaid)
  await announce(deps, caller, authorized, rows[0])
}

/** Memories that mention these entities and no other go; the others lose the mention. What somebody changes meanwhile is looked at again. */
async function forgetMentions(
  deps: Deps,
  caller: Caller,
  namespace: string,
  entities: readonly KnownRow[],
  contents: readonly string[] | null,
): Promise<void> {
  const at = whereIn(deps, namespace)
  const ids = entities.map(({ id }) => id)
  const names = new Set(entities.flatMap((entity) => entity.names.map(({ type, normalized }) => `${type}\n${normalized}`)))
  const stays = ({ type, value }: { type: string; value: string }) => !names.has(`${type}\n${normalize(value)}`)
  const without = (memory: Memory): Changes => ({
    entities: memory.entities.filter(stays),
    relations: memory.relations.filter(({ from, to }) => stays(from) && stays(to)),
  })
  for (;;) {
    const { rows } = await deps.db.asCaller(caller, exactly(namespace), [selectMentioning(at, ids, contents, ROUND)])
    const [shared, alone] = [rows[0].filter((row) => row.shared), rows[0].filter((row) => !row.shared)]
    if (alone.length > 0 && !(await retireAll(deps, caller, namespace, alone))) continue
    for (const { id } of shared) await change(deps, caller, id, without)
    if (rows[0].length < ROUND) return
  }
}

/** The next version of one memory; one that is gone meanwhile, or says nothing of that any more, needs none. */
async function change(deps: Deps, caller: Caller, id: string, changes: (memory: Memory) => Changes): Promise<void> {
  const statement = selectAnswers(sql`m.id = ${id}::uuid and ${readable(deps.now().toISOString())}`)
  const next = (memory: Memory, at: Date) => {
    const without = changes(memory)
    if (without.entities?.length === memory.entities.length && without.relations?.length === memory.relations.length) throw notFound()
    return redraft(deps, memory, without, at)
  }
  try {
    await revise(deps, as(caller, 'memories:write'), statement, { action: 'memories.update', next })
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'not_found') throw error
  }
}

/** Answers whether they were still as they were read. */
async function retireAll(
  deps: Deps,
  caller: Caller,
  namespace: string,
  memories: readonly { id: string; version: number }[],
): Promise<boolean> {
  const now = deps.now().toISOString()
  const ids = memories.map(({ id }) => id)
  const removal = retire(ids, { action: 'memories.delete', reason: null, now })
  const list = [
    ...lockAll(memories.map(({ id, version }) => ({ id, version }))),
    deletePostings(ids),
    ...unlink(ids, true, now),
    removal,
    relabelEmbeddings(ids),
    auditMemories('memories.delete', ids, now),
    ...(deps.settings.graphEnabled ? [oweMemories(ids, now)] : []),
  ]
  try {
    const { authorized, rows } = await deps.db.asCaller(as(caller, 'memories:write'), exactly(namespace), list, {
      write: true,
      repeatable: true,
    })
    const removed = rows[list.indexOf(removal)] as { subject: string }[]
    const subject = removed[0]?.subject as string
    await announce(
      deps,
      caller,
      authorized,
      ids.map((id) => ({ id, subject })),
    )
    return true
  } catch (error) {
    if (error instanceof Refusal && error.code === 'version_mismatch') return false
    throw error
  }
}
