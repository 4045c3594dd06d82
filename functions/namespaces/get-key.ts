import { Key, Version } from '@twofold/core/memories/fields.ts'
import { Remembered } from '@twofold/core/memories/memory.ts'
import { readWhich } from '@twofold/core/memories/read.ts'
import { holder } from '@twofold/core/namespaces/holder.sql.ts'
import { Namespace } from '@twofold/core/namespaces/namespace.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const getKey = operation({
  name: 'namespaces.get_key',
  method: 'get',
  path: '/v1/namespaces/{namespace}/keys/{key}',
  scope: 'memories:read',
  summary: 'The memory that has a key, as it is or at a version.',
  description: 'The versions of a memory that was softly deleted stay readable, until another memory has the key.',
  mcp: 'get_key',
  input: z.strictObject({ namespace: Namespace, key: Key, version: Version.optional(), maxStalenessMs }),
  output: Remembered,
  etag: ({ memory }) => memory.version,
  example: { namespace: 'user:alice:preferences', key: 'theme' },
  handle: (deps, { version, ...place }, caller) => readWhich(deps, caller, holder(place), { version }),
})

export const handler = lambda(getKey)
