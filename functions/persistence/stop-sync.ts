import { SyncAnswer } from '@twofold/core/consistency/answer.ts'
import { stopRun } from '@twofold/core/consistency/follow.ts'
import { MemoryId } from '@twofold/core/memories/fields.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const stopSync = operation({
  name: 'persistence.stop_sync',
  method: 'delete',
  path: '/api/persistence/sync/{runId}',
  scope: 'sync',
  summary: 'Stop a check, repair or rebuild after the step it is at.',
  description: 'What it has repaired stays; a graph that it was building beside the one that is read goes. Stopping twice is the same.',
  input: z.strictObject({ runId: MemoryId }),
  output: SyncAnswer,
  write: false,
  handle: (deps, { runId }, caller) => stopRun(deps, caller, runId),
})

export const handler = lambda(stopSync)
