import { SyncAnswer, SyncInput } from '@twofold/core/consistency/answer.ts'
import { sync as syncStores } from '@twofold/core/consistency/sync.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { graph } from '../parts/graph.ts'
import { queue } from '../parts/queue.ts'

export const sync = operation({
  name: 'persistence.sync',
  method: 'post',
  path: '/api/persistence/sync',
  scope: 'sync',
  summary: 'Whether the two stores agree, and repair where they do not.',
  description:
    'One aggregate on each side, then only what differs. What is on its way to the graph is counted apart. Postgres wins: whatever stands nowhere in it is removed from the graph, or adopted.',
  input: SyncInput,
  output: SyncAnswer,
  write: false,
  example: { operation: 'check', userId: 'alice' },
  needs: [graph, queue],
  handle: (deps, input, caller) => syncStores(deps, caller, input),
})

export const handler = lambda(sync)
