import { SyncStats, syncStats as statsOf } from '@twofold/core/status/sync-stats.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { graph } from '../parts/graph.ts'

export const syncStats = operation({
  name: 'persistence.sync_stats',
  method: 'get',
  path: '/api/persistence/sync',
  scope: 'sync',
  summary: 'How far the two stores agree, when somebody looked last, and what was found.',
  input: z.strictObject({ maxStalenessMs }),
  output: SyncStats,
  needs: [graph],
  handle: (deps, _input, caller) => statsOf(deps, caller),
})

export const handler = lambda(syncStats)
