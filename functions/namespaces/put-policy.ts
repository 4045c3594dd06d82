import { NamespacePrefix } from '@twofold/core/namespaces/namespace.ts'
import { Policy, PolicyInput, putPolicy as put } from '@twofold/core/namespaces/policy.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const putPolicy = operation({
  name: 'namespaces.put_policy',
  method: 'put',
  path: '/v1/namespaces/{namespace}/policy',
  scope: 'memories:write',
  summary: 'Say for how long memories of a namespace, and of all below it, and their versions are kept.',
  description:
    'The nearest policy up the hierarchy applies, as a whole. With both rules for versions a version goes when neither keeps it. The current version stays in any case, and so does what is younger than a day. Squashed versions answer 410.',
  input: PolicyInput.extend({ namespace: NamespacePrefix }),
  output: z.object({ policy: Policy }),
  example: { namespace: 'user:alice', keepVersions: 20, episodicDays: 365 },
  handle: async (deps, { namespace, ...input }, caller) => {
    const { answer: policy, replayed } = await put(deps, caller, namespace, input)
    return answer(policy, { replayed })
  },
})

export const handler = lambda(putPolicy)
