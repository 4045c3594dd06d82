import { getDecisions } from '@twofold/core/decisions/list.ts'
import { onePlace } from '@twofold/core/memories/fields.ts'
import { Memory } from '@twofold/core/memories/memory.ts'
import { Page } from '@twofold/operation/page.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { listingOf, paged, pageOf } from '../memories/page.ts'
import { operation } from '../operation.ts'

export const list = operation({
  name: 'decisions.list',
  method: 'get',
  path: '/v1/decisions',
  scope: 'memories:read',
  summary: 'Decisions in the order they were remembered.',
  mcp: 'get_decisions',
  input: z.strictObject(paged).superRefine(onePlace),
  output: Page(Memory),
  handle: async (deps, input, caller) => pageOf(await getDecisions(deps, caller, listingOf(input))),
})

export const handler = lambda(list)
