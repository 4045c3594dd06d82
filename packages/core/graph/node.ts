import * as z from 'zod-own'

/** A memory in an answer of the graph: what it is, and enough of it to be read; the rest is one GET away. */
export const MemoryNode = z
  .object({
    id: z.string(),
    kind: z.literal('memory'),
    namespace: z.string(),
    type: z.string(),
    memoryKind: z.string().meta({ description: 'The kind of the memory: note, decision, …' }),
    key: z.string().nullable(),
    content: z.string(),
    summary: z.string().nullable(),
    importance: z.number(),
    tags: z.array(z.string()),
    version: z.number(),
    occurredAt: z.string(),
    supersededBy: z.string().optional().meta({ description: 'What took its place; it is deleted, and comes back with restore.' }),
  })
  .meta({ id: 'MemoryNode' })

export const EntityNode = z
  .object({
    id: z.string(),
    kind: z.literal('entity'),
    type: z.string(),
    value: z.string(),
    normalized: z.string(),
    subject: z.string(),
    createdAt: z.string(),
  })
  .meta({ id: 'EntityNode' })
export type EntityNode = z.infer<typeof EntityNode>

/** A session; `id` is its own in the graph, `sessionId` the caller's. */
export const SessionNode = z
  .object({
    id: z.string(),
    kind: z.literal('session'),
    sessionId: z.string(),
    namespace: z.string(),
    appName: z.string(),
    projectId: z.string().nullable(),
    status: z.string(),
    createdAt: z.string(),
    terminatedAt: z.string().nullable(),
  })
  .meta({ id: 'SessionNode' })

export const hops = z.number().meta({ description: 'How many edges away from the nearest start.' })
export const Node = z
  .discriminatedUnion('kind', [MemoryNode.extend({ hops }), EntityNode.extend({ hops }), SessionNode.extend({ hops })])
  .meta({ id: 'Node' })
export type Node = z.infer<typeof Node>

export const Edge = z
  .object({
    from: z.string(),
    to: z.string(),
    type: z.string().meta({
      description:
        'MENTIONS or ABOUT from a memory to an entity; RELATES_TO between entities; PRODUCED from a session to a memory; SUPERSEDES from a memory to what it took the place of.',
    }),
    properties: z
      .object({
        type: z.string().optional().meta({ description: "Of RELATES_TO: the relation's own type, such as works_at." }),
        confidence: z.number(),
      })
      .catchall(z.json())
      .meta({ description: 'Of what was linked explicitly also the properties it was given.' }),
  })
  .meta({ id: 'Edge' })
export type Edge = z.infer<typeof Edge>

export const Freshness = z.object({ asOf: z.string(), graphLagMs: z.number() })
