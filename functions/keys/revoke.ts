import { ApiKey } from '@twofold/core/keys/key.ts'
import { revoke as revokeKey } from '@twofold/core/keys/keys.ts'
import { answer } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const revoke = operation({
  name: 'keys.revoke',
  method: 'delete',
  path: '/v1/keys/{id}',
  scope: 'admin',
  summary: 'Revoke an API key; it is dead with the next request.',
  input: z.strictObject({ id: z.uuid() }),
  output: z.object({ key: ApiKey }),
  handle: async (deps, { id }, caller) => {
    const { answer: revoked, replayed } = await revokeKey(deps, caller, id)
    return answer(revoked, { replayed })
  },
})

export const handler = lambda(revoke)
