import type { Caller } from '@twofold/operation/caller.ts'
import { z } from 'zod'
import { GraphStoreError } from '../failures.ts'
import { Edge, EntityNode, Freshness } from '../graph/node.ts'
import { readGeneration } from '../graph/query.sql.ts'
import { type Walk, type Walked, walk } from '../graph/walk.ts'
import { live } from '../memories/live.sql.ts'
import { Memory, MemoryId } from '../memories/memory.ts'
import type { InSession } from '../memories/remember.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import { noEntity, selectEntity } from './read.ts'

export const ContextQuery = z.strictObject({
  id: MemoryId,
  limit: z.int().min(1).max(100).default(20).meta({ description: 'Memories, commitments and relations, of each at most so many.' }),
})
export type ContextQuery = z.infer<typeof ContextQuery>

const End = EntityNode.pick({ id: true, type: true, value: true })

export const EntityContext = z.object({
  entity: EntityNode,
  memories: z.array(Memory).meta({ description: 'That mention it, newest first; open commitments stand apart.' }),
  commitments: z.array(Memory).meta({ description: 'Open ones that mention it, due first.' }),
  relations: z.array(z.object({ from: End, type: z.string(), to: End, properties: Edge.shape.properties })),
  lastMentionedAt: z.string().nullable().meta({ description: 'When the latest of these memories and commitments happened.' }),
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
    mentioning(id, limit, now),
    promised(id, limit, now),
  ])
  const [start, [state], memories, commitments] = rows
  const entity = start[0]?.node
  if (!entity) throw noEntity()
  const generations = state?.generations ?? []
  const related = await relations(deps, caller, { start, authorized, generations, at, session }, limit)
  const shown = [...memories, ...commitments].map((row) => row.memory)
  return {
    entity,
    memories: memories.map((row) => row.memory),
    commitments: commitments.map((row) => row.memory),
    relations: related ? relationsOf(related) : [],
    lastMentionedAt:
      shown
        .map((memory) => memory.occurredAt)
        .sort()
        .at(-1) ?? null,
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

type Row = { memory: Memory }

/** In the order of the ids, which is by creation: the index yields them so, and an entity of a thousand mentions costs no more than one of ten. */
const mentioning = (id: string, limit: number, now: string): Statement<Row> => sql<Row>`
  select m.json as memory
  from memory_entities me
  cross join lateral (
    select m.json from readable_memories m
    where m.tenant_id = current_tenant() and m.id = me.memory_id and visible(m.namespace) and ${live(now)}
      and m.status is distinct from 'open' offset 0) m
  where me.tenant_id = current_tenant() and me.entity_id = ${id}::uuid
  order by me.memory_id desc limit ${limit}::int`

/** Led by the subject's open commitments, which are few; its mentions may be many. */
const promised = (id: string, limit: number, now: string): Statement<Row> => sql<Row>`
  select m.json as memory
  from entities e
  cross join lateral (
    select m.* from readable_memories m
    where m.tenant_id = current_tenant() and m.kind = 'commitment' and m.status = 'open'
      and m.namespace >= e.subject and m.namespace < e.subject || ';' and m.subject = e.subject and visible(m.namespace) and ${live(now)} offset 0) m
  where e.tenant_id = current_tenant() and e.id = ${id}::uuid
    and exists (select from memory_entities me where me.tenant_id = current_tenant() and me.memory_id = m.id and me.entity_id = e.id)
  order by m.due_at, m.id limit ${limit}::int`
