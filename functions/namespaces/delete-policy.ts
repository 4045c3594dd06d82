import { NamespacePrefix } from '@twofold/core/namespaces/namespace.ts'
import { Policy, deletePolicy as remove } from '@twofold/core/namespaces/policy.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const deletePolicy = operation({
  name: 'namespaces.delete_policy',
  method: 'delete',
  path: '/v1/namespaces/{namespace}/policy',
  scope: 'memories:write',
  summary: 'Take the policy of a namespace away; answers the one that applies then.',
  input: z.strictObject({ namespace: NamespacePrefix }),
  output: z.object({ policy: Policy }),
  handle: async (deps, { namespace }, caller) => {
    const { answer: policy, replayed } = await remove(deps, caller, namespace)
    return answer(policy, { replayed })
  },
})

export const handler = lambda(deletePolicy)
