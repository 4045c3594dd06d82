import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import { EntityNode } from '../graph/node.ts'
import { Receipt } from '../memories/memory.ts'
import type { InSession, Written } from '../memories/remember.ts'
import type { Deps } from '../ports.ts'
import { Confidence, RelationType } from './entity.ts'
import { makeExplicit, naming, SubjectEntity, WaitFor } from './explicit.ts'
import { normalize } from './mentions.ts'
import { auditLinks, type NamedLink, selectLinks, upsertLinks } from './write.sql.ts'

const Properties = z
  .object({ confidence: Confidence.optional() })
  .catchall(z.json())
  .refine((properties) => !('type' in properties), { path: ['type'], message: 'is what the link itself is called' })
  .refine((properties) => Object.keys(properties).length <= 50, 'must have at most 50 fields')

const Link = z
  .strictObject({ from: SubjectEntity, type: RelationType, to: SubjectEntity, properties: Properties.optional() })
  .superRefine(({ from, to }, context) => {
    const issue = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message })
    if (from.subject !== to.subject)
      issue(['to', 'subject'], 'must be the subject of from: nothing in the graph crosses from one to another')
    else if (from.type === to.type && normalize(from.value) === normalize(to.value)) issue(['to'], 'must be another entity than from')
  })

export const LinksInput = z.strictObject({ links: z.array(Link).min(1).max(200), waitFor: WaitFor })
export type LinksInput = z.infer<typeof LinksInput>

export const LinksCreated = z.object({
  links: z.array(
    z.object({
      id: z.string(),
      from: EntityNode,
      type: z.string(),
      to: EntityNode,
      properties: z.record(z.string(), z.json()),
      created: z.boolean().meta({ description: 'False when it was known already; new properties were then put over the old ones.' }),
    }),
  ),
  receipt: Receipt,
})
export type LinksCreated = z.infer<typeof LinksCreated>

/**
 * Links entities of one subject for the link's own sake: it stays until somebody removes it. Ends that are not there yet
 * are made, and all of them are explicit from then on; new properties go over those of a link that is known. Answered in
 * the order of the request. Refuses `forbidden` for a subject that no grant covers as a whole.
 */
export async function linkNodes(
  deps: Deps,
  caller: Caller,
  { links, waitFor }: LinksInput,
  { session }: InSession = {},
): Promise<Written<LinksCreated>> {
  const name = naming(deps)
  const known = new Map<string, NamedLink>()
  const named = links.map(({ from, type, to, properties = {} }) => {
    const ends = { from: name(from), to: name(to) }
    const key = JSON.stringify([ends.from.id, type, ends.to.id])
    const link = known.get(key) ?? { id: deps.id(), ...ends, type, properties: {} }
    link.properties = { ...link.properties, ...properties }
    known.set(key, link)
    return link
  })
  const wanted = [...known.values()]
  const entities = [...new Set(wanted.flatMap(({ from, to }) => [from, to]))]
  const made = await makeExplicit(
    deps,
    caller,
    {
      entities,
      ids: wanted.map((link) => link.id),
      statements: (now) => [upsertLinks(wanted, now), auditLinks('links.create', wanted, now)],
      select: selectLinks(wanted),
    },
    { waits: waitFor === 'graph', session },
  )
  const nodes = new Map(made.entities.map(({ node }) => [node.id, node]))
  const answers = new Map(
    wanted.map((link, i): [NamedLink, LinksCreated['links'][number]] => {
      const { id, from_id, type, to_id, properties } = made.rows[i] as (typeof made.rows)[number]
      const ends = { from: nodes.get(from_id) as EntityNode, to: nodes.get(to_id) as EntityNode }
      return [link, { id, ...ends, type, properties, created: made.created.has(id) }]
    }),
  )
  return {
    answer: { links: named.map((link) => answers.get(link) as LinksCreated['links'][number]), receipt: made.receipt },
    replayed: made.replayed,
  }
}
