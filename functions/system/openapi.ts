import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const openapi = operation({
  name: 'system.openapi',
  method: 'get',
  path: '/openapi.json',
  scope: null,
  public: true,
  summary: 'This document.',
  input: z.strictObject({}),
  output: z.record(z.string(), z.unknown()),
  // As it is committed: made here it would take every operation, with all that those need.
  handle: async () => (await import('../../openapi.json', { with: { type: 'json' } })).default,
})

export const handler = lambda(openapi)
