import { putSchedule, Schedule, ScheduleInput } from '@twofold/core/consolidation/schedule.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const putConsolidation = operation({
  name: 'namespaces.put_consolidation',
  method: 'put',
  path: '/v1/namespaces/{namespace}/consolidation',
  scope: 'memories:write',
  summary: 'Have a namespace consolidated by itself, every so many hours, or not any more.',
  input: ScheduleInput,
  output: z.object({ consolidation: Schedule }),
  example: { namespace: 'user:alice', strategy: 'similar', everyHours: 24 },
  handle: async (deps, input, caller) => {
    const { answer: consolidation, replayed } = await putSchedule(deps, caller, input)
    return answer({ consolidation }, { replayed })
  },
})

export const handler = lambda(putConsolidation)
