import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const metrics = operation({
  name: 'system.metrics',
  method: 'get',
  path: '/metrics',
  scope: null,
  summary: 'What this process has counted and timed, for Prometheus.',
  input: z.strictObject({}),
  output: z.string(),
  mediaType: 'text/plain; version=0.0.4; charset=utf-8',
  handle: async (deps, _input, caller) => {
    await deps.db.asCaller(caller, null, [])
    return deps.metrics()
  },
})

export const handler = lambda(metrics)
