import { readSchedule, Schedule } from '@twofold/core/consolidation/schedule.ts'
import { Namespace } from '@twofold/core/namespaces/namespace.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const getConsolidation = operation({
  name: 'namespaces.get_consolidation',
  method: 'get',
  path: '/v1/namespaces/{namespace}/consolidation',
  scope: 'memories:read',
  summary: 'How a namespace is consolidated by itself, and when next.',
  input: z.strictObject({ namespace: Namespace, maxStalenessMs }),
  output: z.object({ consolidation: Schedule }),
  handle: async (deps, { namespace }, caller) => ({ consolidation: await readSchedule(deps, caller, namespace) }),
})

export const handler = lambda(getConsolidation)
