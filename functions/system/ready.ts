import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const ready = operation({
  name: 'system.ready',
  method: 'get',
  path: '/v1/health/ready',
  scope: null,
  summary: 'The database answers and knows this key.',
  input: z.strictObject({}),
  output: z.object({ status: z.literal('ready') }),
  handle: async (deps, _input, caller) => {
    await deps.db.asCaller(caller, null, [])
    return { status: 'ready' as const }
  },
})

export const handler = lambda(ready)
