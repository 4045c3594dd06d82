import { MemoryId } from '@twofold/core/memories/fields.ts'
import { ForgetAll, forgetAll } from '@twofold/core/memories/forget-all.ts'
import { answer } from '@twofold/operation/operation.ts'
import { cursor, cursorAt } from '@twofold/operation/page.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { queue } from '../parts/queue.ts'

export const removeAll = operation({
  name: 'memories.delete_all',
  method: 'post',
  path: '/v1/memories/delete',
  scope: 'memories:write',
  summary: 'Delete the memories of a namespace, a prefix or a user, or those that a filter picks; softly, or for good.',
  description:
    'One call does a bounded part. While `done` is false, ask again with the `cursor`; `matched` and `deleted` count the part. The filter is that of search. `dryRun` changes nothing.',
  mcp: 'delete_all_memories',
  destructive: true,
  input: ForgetAll.safeExtend({ cursor: cursor(MemoryId) }),
  output: z.object({ matched: z.number(), deleted: z.number(), done: z.boolean(), cursor: z.string().optional() }),
  example: { userId: 'alice', filter: { source: { eq: 'import' } }, dryRun: true },
  needs: [queue],
  handle: async (deps, { cursor: after = null, ...input }, caller) => {
    const {
      answer: { next, ...counts },
      replayed,
    } = await forgetAll(deps, caller, { ...input, after })
    return answer({ ...counts, done: next === null, ...(next === null ? {} : { cursor: cursorAt(next) as string }) }, { replayed })
  },
})

export const handler = lambda(removeAll)
