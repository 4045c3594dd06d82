import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import { EntityNode } from '../graph/node.ts'
import { Receipt } from '../memories/memory.ts'
import type { InSession, Written } from '../memories/remember.ts'
import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import { makeExplicit, naming, SubjectEntity, WaitFor } from './explicit.ts'
import { MAX_ENTITIES } from './mentions.ts'
import { auditNamed } from './write.sql.ts'

export const EntitiesInput = z.strictObject({ entities: z.array(SubjectEntity).min(1).max(MAX_ENTITIES), waitFor: WaitFor })
export type EntitiesInput = z.infer<typeof EntitiesInput>

export const EntitiesCreated = z.object({
  entities: z.array(EntityNode.extend({ created: z.boolean().meta({ description: 'False when it was known already.' }) })),
  receipt: Receipt,
})
export type EntitiesCreated = z.infer<typeof EntitiesCreated>

/**
 * Makes entities for their own sake, or makes known ones explicit: they stay when no memory mentions them any more. One
 * that is known keeps its first spelling. Answered in the order of the request. Refuses `forbidden` for a subject that
 * no grant covers as a whole.
 */
export async function createEntity(
  deps: Deps,
  caller: Caller,
  { entities, waitFor }: EntitiesInput,
  { session }: InSession = {},
): Promise<Written<EntitiesCreated>> {
  const named = entities.map(naming(deps))
  const wanted = [...new Set(named)]
  const made = await makeExplicit(
    deps,
    caller,
    {
      entities: wanted,
      ids: wanted.map((e) => e.id),
      statements: (now) => [auditNamed('entities.create', wanted, now)],
      select: sql`select 1 where false`,
    },
    { waits: waitFor === 'graph', session },
  )
  const answers = new Map(wanted.map((e, i) => [e, made.entities[i]?.node as EntityNode]))
  const shown = named.map((e) => answers.get(e) as EntityNode).map((node) => ({ ...node, created: made.created.has(node.id) }))
  return { answer: { entities: shown, receipt: made.receipt }, replayed: made.replayed }
}
