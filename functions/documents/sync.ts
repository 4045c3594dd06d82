import { syncDocuments } from '@twofold/core/documents/sync.ts'
import { MemoryId, onePlace } from '@twofold/core/memories/fields.ts'
import { Name, Namespace, NamespacePrefix } from '@twofold/core/namespaces/namespace.ts'
import { cursor, cursorAt } from '@twofold/operation/page.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { embedder } from '../parts/embedder.ts'
import { queue } from '../parts/queue.ts'

export const sync = operation({
  name: 'documents.sync',
  method: 'post',
  path: '/v1/documents/sync',
  scope: 'documents:write',
  summary: 'Go on with documents that are not synced, for some seconds; with the cursor of the answer, with those after them.',
  description: 'Nobody has to: they go on by themselves. This does it now, tries failed ones again and says how far it has come.',
  input: z
    .strictObject({
      namespace: Namespace.optional(),
      namespacePrefix: NamespacePrefix.optional(),
      userId: Name.optional(),
      cursor: cursor(MemoryId),
    })
    .superRefine(onePlace),
  output: z.object({
    done: z.boolean().meta({ description: 'Every document has been looked at; those that are still left could not be synced now.' }),
    cursor: z.string().nullable(),
    total: z.number(),
    synced: z.number(),
    left: z.number(),
    failed: z.number(),
  }),
  // Sent twice it does the same as sent once, and what it answers is how things stand.
  write: false,
  needs: [embedder, queue],
  handle: async (deps, { namespace, namespacePrefix, userId, cursor }, caller) => {
    const prefix = namespacePrefix ?? (userId === undefined ? undefined : `user:${userId}`)
    const { next, ...progress } = await syncDocuments(deps, caller, { namespace, namespacePrefix: prefix, after: cursor ?? null })
    return { done: next === null, cursor: cursorAt(next), ...progress }
  },
})

export const handler = lambda(sync)
