import { z } from 'zod'
import { document } from '../document.ts'
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
  handle: () => document(),
})

export const handler = lambda(openapi)
