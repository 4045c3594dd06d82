import { readEntity } from '@twofold/core/entities/read.ts'
import { EntityNode } from '@twofold/core/graph/node.ts'
import { MemoryId } from '@twofold/core/memories/fields.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const entity = operation({
  name: 'graph.entity',
  method: 'get',
  path: '/v1/graph/entities/{id}',
  scope: 'graph:read',
  summary: 'One entity.',
  input: z.strictObject({ id: MemoryId, maxStalenessMs }),
  output: EntityNode,
  handle: (deps, { id }, caller) => readEntity(deps, caller, id),
})

export const handler = lambda(entity)
