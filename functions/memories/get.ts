import { MemoryId, Moment, Version } from '@twofold/core/memories/fields.ts'
import { Remembered } from '@twofold/core/memories/memory.ts'
import { read } from '@twofold/core/memories/read.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const get = operation({
  name: 'memories.get',
  method: 'get',
  path: '/v1/memories/{id}',
  scope: 'memories:read',
  summary: 'One memory, as it is or as it was at a version or a moment.',
  mcp: 'get_memory',
  input: z.strictObject({ id: MemoryId, version: Version.optional(), asOf: Moment.optional(), maxStalenessMs }),
  output: Remembered,
  etag: ({ memory }) => memory.version,
  handle: (deps, { id, version, asOf }, caller) => read(deps, caller, id, { version, asOf }),
})

export const handler = lambda(get)
