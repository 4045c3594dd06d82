import { getCommitments } from '@twofold/core/commitments/list.ts'
import { Moment, onePlace } from '@twofold/core/memories/fields.ts'
import { Memory } from '@twofold/core/memories/memory.ts'
import { Page } from '@twofold/operation/page.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { listingOf, paged, pageOf } from '../memories/page.ts'
import { operation } from '../operation.ts'

export const list = operation({
  name: 'commitments.list',
  method: 'get',
  path: '/v1/commitments',
  scope: 'memories:read',
  summary: 'Commitments in the order they were made, by status, owner and when they are due.',
  mcp: 'get_commitments',
  input: z
    .strictObject({
      ...paged,
      status: z.enum(['open', 'overdue', 'completed']).optional().meta({ description: 'What is overdue is open too.' }),
      owner: z.string().min(1).max(255).optional(),
      dueBefore: Moment.optional(),
    })
    .superRefine(onePlace),
  output: Page(Memory),
  handle: async (deps, { status, owner, dueBefore, ...input }, caller) =>
    pageOf(await getCommitments(deps, caller, { ...listingOf(input), status, owner, dueBefore })),
})

export const handler = lambda(list)
