import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import { GraphStoreError } from '../failures.ts'
import { Edge, EntityNode, Freshness } from '../graph/node.ts'
import { readGeneration } from '../graph/query.sql.ts'
import { type Walk, type Walked, walk } from '../graph/walk.ts'
import { MemoryId } from '../memories/fields.ts'
import { Memory } from '../memories/memory.ts'
import type { InSession } from '../memories/remember.ts'
import type { Deps } from '../ports.ts'
import { aliasesOf, coMentioned, firstMention, mentioning, promised } from './context.sql.ts'
import { noEntity, selectEntity } from './read.ts'

export const ContextQuery = z.strictObject({
  id: MemoryId,
  limit: z
    .int()
    .min(1)
    .max(100)
    .default(20)
    .meta({ description: 'Memories, commitments, relations and neighbours, of each at most so many.' }),
})
export type ContextQuery = z.infer<typeof ContextQuery>

const End = EntityNode.pick({ id: true, type: true, value: true })

export const EntityContext = z.object({
  entity: EntityNode,
  memories: z.array(Memory).meta({ description: 'That mention it, newest first; open commitments stand apart.' }),
  commitments: z.array(Memory).meta({ description: 'Open ones that mention it, due first.' }),
  relations: z.array(z.object({ from: End, type: z.string(), to: End, properties: Edge.shape.properties })),
  coMentioned: z
    .array(z.object({ entity: EntityNode, memories: z.number() }))
    .meta({ description: 'What its newest memories mention beside it, and how many of them do; most often first.' }),
  aliases: z.array(End).meta({ description: 'What was merged into it.' }),
  firstMentionedAt: z.string().nullable().meta({ description: 'When what was remembered of it first happened.' }),
  lastMentionedAt: z.string().nullable().meta({ description: 'When the latest of these memories and commitments happened.' }),
  cut: z.boolean().meta({ description: 'True when there is more of something than `limit`.' }),
  freshness: Freshness,
  degraded: z.array(z.string()),
})
export type EntityContext = z.infer<typeof EntityContext>

/**
 * What is known around an entity: memories and open commitments from Postgres, relations as the graph knows them; while
 * the graph is off or out of reach without these (`degraded: ["graph"]`). Refuses `not_found`.
 */
export async function getEntityContext(
  deps: Deps,
  caller: Caller,
  { id, limit }: ContextQuery,
  { session }: InSession = {},
): Promise<EntityContext> {
  const at = deps.now()
  const now = at.toISOString()
  const { authorized, rows } = await deps.db.asCaller(caller, null, [
    selectEntity(id, now),
    readGeneration,
    mentioning(id, limit + 1, now),
    promised(id, limit + 1, now),
    firstMention(id, now),
    coMentioned(id, limit + 1, now),
    aliasesOf(id),
  ])
  const [start, [state], mentions, promises, [first], beside, aliases] = rows
  const entity = start[0]?.node
  if (!entity) throw noEntity()
  const generations = state?.generations ?? []
  const related = await relations(deps, caller, { start, authorized, generations, at, session }, limit)
  const memories = mentions.slice(0, limit).map((row) => row.memory)
  const commitments = promises.slice(0, limit).map((row) => row.memory)
  return {
    entity,
    memories,
    commitments,
    relations: related ? relationsOf(related) : [],
    coMentioned: beside.slice(0, limit).map(({ node, memories }) => ({ entity: node, memories })),
    aliases: aliases.map(({ node }) => End.parse(node)),
    firstMentionedAt: first?.at ?? null,
    lastMentionedAt:
      [...memories, ...commitments]
        .map((memory) => memory.occurredAt)
        .sort()
        .at(-1) ?? null,
    cut: mentions.length > limit || promises.length > limit || beside.length > limit || (related?.cut ?? false),
    freshness: related?.freshness ?? { asOf: now, graphLagMs: 0 },
    degraded: related ? [] : ['graph'],
  }
}

async function relations(
  deps: Deps,
  caller: Caller,
  from: Pick<Walk, 'start' | 'authorized' | 'generations' | 'at' | 'session'>,
  limit: number,
): Promise<Walked | null> {
  if (!deps.settings.graphEnabled) return null
  try {
    return await walk(deps, caller, { ...from, ranges: null, via: ['RELATES_TO'], direction: 'both', hops: 1, limit: limit + 1 })
  } catch (error) {
    if (!(error instanceof GraphStoreError)) throw error
    return null
  }
}

function relationsOf({ nodes, edges }: Walked): EntityContext['relations'] {
  const ends = new Map(nodes.flatMap((node) => (node.kind === 'entity' ? [[node.id, End.parse(node)]] : [])))
  return edges.flatMap(({ from, to, properties: { type = '', ...properties } }) => {
    const [a, b] = [ends.get(from), ends.get(to)]
    return a && b ? [{ from: a, type, to: b, properties }] : []
  })
}
