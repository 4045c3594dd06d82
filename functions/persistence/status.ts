import { Status, status as statusOf } from '@twofold/core/status/status.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { graph } from '../parts/graph.ts'

export const status = operation({
  name: 'persistence.status',
  method: 'get',
  path: '/api/persistence/status',
  scope: 'sync',
  summary: 'How the two stores are, how far they agree, and what is owed.',
  input: z.strictObject({ maxStalenessMs }),
  output: Status,
  needs: [graph],
  handle: (deps, _input, caller) => statusOf(deps, caller),
})

export const handler = lambda(status)
