import { list as listMemories } from '@twofold/core/memories/list.ts'
import { Key, Kind, MaxStaleness, Memory, MemoryId, MemoryType, Moment, onePlace } from '@twofold/core/memories/memory.ts'
import { Name, Namespace, NamespacePrefix } from '@twofold/core/namespaces/namespace.ts'
import { cursor, cursorAt, limit, Page } from '@twofold/operation/page.ts'
import { z } from 'zod'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const list = operation({
  name: 'memories.list',
  method: 'get',
  path: '/v1/memories',
  scope: 'memories:read',
  summary: 'Memories in the order they were made, filtered.',
  input: z
    .strictObject({
      namespace: Namespace.optional(),
      namespacePrefix: NamespacePrefix.optional(),
      userId: Name.optional(),
      type: MemoryType.optional(),
      kind: Kind.optional(),
      key: Key.optional(),
      tag: z.string().min(1).max(100).optional(),
      createdBy: z.string().min(1).max(255).optional(),
      updatedSince: Moment.optional(),
      includeDeleted: z.boolean().optional(),
      asOf: Moment.optional(),
      maxStalenessMs: MaxStaleness,
      limit,
      cursor: cursor(MemoryId),
    })
    .superRefine(onePlace),
  output: Page(Memory),
  handle: async (deps, { cursor: after = null, userId, maxStalenessMs: _, ...listing }, caller) => {
    const namespacePrefix = listing.namespacePrefix ?? (userId === undefined ? undefined : `user:${userId}`)
    const { items, next } = await listMemories(deps, caller, { ...listing, namespacePrefix, after })
    return { items, nextCursor: cursorAt(next) }
  },
})

export const handler = lambda(list)
