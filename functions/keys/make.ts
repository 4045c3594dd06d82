import { KeyAnswer, KeyInput } from '@twofold/core/keys/key.ts'
import { makeKey } from '@twofold/core/keys/keys.ts'
import { answer } from '@twofold/operation/operation.ts'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const make = operation({
  name: 'keys.make',
  method: 'post',
  path: '/v1/keys',
  scope: 'admin',
  summary: 'Make an API key with scopes and namespace grants; its secret is shown once.',
  input: KeyInput,
  output: KeyAnswer,
  status: 201,
  example: { name: 'support agent', scopes: ['memories:read', 'memories:write'], namespaces: ['user:alice'] },
  handle: async (deps, input, caller) => {
    const { answer: made, replayed } = await makeKey(deps, caller, input)
    return answer(made, { replayed })
  },
})

export const handler = lambda(make)
