import { Retried, retryParked as retry } from '@twofold/core/graph/parked.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { graph } from '../parts/graph.ts'

export const retryParked = operation({
  name: 'persistence.retry_parked',
  method: 'post',
  path: '/api/persistence/parked/{id}/retry',
  scope: 'sync',
  summary: 'Offer what the graph refused in every attempt to it once more.',
  input: z.strictObject({ id: z.uuid() }),
  output: Retried,
  write: false,
  needs: [graph],
  handle: (deps, { id }, caller) => retry(deps, caller, id),
})

export const handler = lambda(retryParked)
