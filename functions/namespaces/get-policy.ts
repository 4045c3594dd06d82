import { NamespacePrefix } from '@twofold/core/namespaces/namespace.ts'
import { Policy, readPolicy } from '@twofold/core/namespaces/policy.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const getPolicy = operation({
  name: 'namespaces.get_policy',
  method: 'get',
  path: '/v1/namespaces/{namespace}/policy',
  scope: 'memories:read',
  summary: 'For how long memories of a namespace and their versions are kept, and who says so.',
  input: z.strictObject({ namespace: NamespacePrefix, maxStalenessMs }),
  output: z.object({ policy: Policy }),
  handle: (deps, { namespace }, caller) => readPolicy(deps, caller, namespace),
})

export const handler = lambda(getPolicy)
