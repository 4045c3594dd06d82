import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const live = operation({
  name: 'system.live',
  method: 'get',
  path: '/v1/health/live',
  scope: null,
  public: true,
  summary: 'The process answers.',
  input: z.strictObject({}),
  output: z.object({ status: z.literal('live') }),
  handle: () => ({ status: 'live' as const }),
})

export const handler = lambda(live)
