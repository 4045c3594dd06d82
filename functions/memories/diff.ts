import { MemoryId, Version } from '@twofold/core/memories/fields.ts'
import { diff as diffOf } from '@twofold/core/memories/history.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const diff = operation({
  name: 'memories.diff',
  method: 'get',
  path: '/v1/memories/{id}/diff',
  scope: 'memories:read',
  summary: 'How one version of a memory becomes another, as a JSON Patch (RFC 6902).',
  input: z.strictObject({ id: MemoryId, from: Version, to: Version, maxStalenessMs }),
  output: z.object({
    from: z.number(),
    to: z.number(),
    patch: z.array(z.looseObject({ op: z.enum(['add', 'remove', 'replace', 'move', 'copy', 'test']), path: z.string() })),
  }),
  handle: (deps, { id, from, to }, caller) => diffOf(deps, caller, id, from, to),
})

export const handler = lambda(diff)
