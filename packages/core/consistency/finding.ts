import * as z from 'zod-own'

export const KINDS = ['missing', 'stale', 'orphaned', 'duplicate', 'wrong_edge', 'wrong_property'] as const

/** One difference between what Postgres says and what the graph shows. */
export const Finding = z
  .object({
    kind: z.enum(KINDS).meta({
      description:
        'missing: the graph does not show it. stale: it shows another version of it. orphaned: nothing in Postgres stands behind it. duplicate: an edge that is there more than once. wrong_edge, wrong_property: this edge or property differs.',
    }),
    store: z.enum(['vector', 'graph']).meta({ description: 'The store that is wrong: Postgres is the truth, so it is the graph.' }),
    id: z
      .string()
      .nullable()
      .meta({ description: 'Of the memory, entity or session; of an edge, who asserts it. Null for what has no id.' }),
    what: z.string().meta({ description: 'memory, entity, session, edge, or the name of the property or of the type of edge.' }),
    expected: z.json().optional(),
    found: z.json().optional(),
    remedy: z.enum(['project', 'remove', 'adopt']).meta({
      description: 'What repair does: show it anew as Postgres has it, remove it from the graph, or take it into Postgres.',
    }),
  })
  .meta({ id: 'Inconsistency' })
export type Finding = z.infer<typeof Finding>
