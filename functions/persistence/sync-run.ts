import { SyncAnswer } from '@twofold/core/consistency/answer.ts'
import { followRun } from '@twofold/core/consistency/follow.ts'
import { MemoryId } from '@twofold/core/memories/fields.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const syncRun = operation({
  name: 'persistence.sync_run',
  method: 'get',
  path: '/api/persistence/sync/{runId}',
  scope: 'sync',
  summary: 'How far a check, repair or rebuild has come.',
  description: 'Phase, what is done of it and how long the rest will take. Inconsistencies are listed without what the things hold.',
  input: z.strictObject({ runId: MemoryId, maxStalenessMs }),
  output: SyncAnswer,
  handle: (deps, { runId }, caller) => followRun(deps, caller, runId),
})

export const handler = lambda(syncRun)
