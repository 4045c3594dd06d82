import { KeyAnswer } from '@twofold/core/keys/key.ts'
import { rotate as rotateKey } from '@twofold/core/keys/keys.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const rotate = operation({
  name: 'keys.rotate',
  method: 'post',
  path: '/v1/keys/{id}/rotate',
  scope: 'admin',
  summary: 'Give an API key a new secret; the old one dies at once, or after a grace period.',
  input: z.strictObject({ id: z.uuid(), graceSeconds: z.int().min(0).max(2_592_000).default(0) }),
  output: KeyAnswer,
  handle: async (deps, { id, graceSeconds }, caller) => {
    const { answer: rotated, replayed } = await rotateKey(deps, caller, id, graceSeconds)
    return answer(rotated, { replayed })
  },
})

export const handler = lambda(rotate)
