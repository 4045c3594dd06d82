import { Id, Key, Kind, MemoryType, Moment, onePlace } from '@twofold/core/memories/fields.ts'
import { list as listMemories } from '@twofold/core/memories/list.ts'
import { Memory } from '@twofold/core/memories/memory.ts'
import { Page } from '@twofold/operation/page.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { listingOf, paged, pageOf } from './page.ts'

export const list = operation({
  name: 'memories.list',
  method: 'get',
  path: '/v1/memories',
  scope: 'memories:read',
  summary: 'Memories in the order they were made, filtered.',
  mcp: 'get_memories',
  input: z
    .strictObject({
      ...paged,
      type: MemoryType.optional(),
      kind: Kind.optional(),
      key: Key.optional(),
      tag: z.string().min(1).max(100).optional(),
      createdBy: z.string().min(1).max(255).optional(),
      sessionId: Id.optional(),
      taskId: Id.optional(),
      updatedSince: Moment.optional(),
      includeDeleted: z.boolean().optional(),
      asOf: Moment.optional(),
    })
    .superRefine(onePlace),
  output: Page(Memory),
  handle: async (deps, input, caller) => pageOf(await listMemories(deps, caller, { ...input, ...listingOf(input) })),
})

export const handler = lambda(list)
