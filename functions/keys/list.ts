import { ApiKey } from '@twofold/core/keys/key.ts'
import { listKeys } from '@twofold/core/keys/keys.ts'
import { cursor, cursorAt, limit, Page } from '@twofold/operation/page.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const list = operation({
  name: 'keys.list',
  method: 'get',
  path: '/v1/keys',
  scope: 'admin',
  summary: 'The API keys that are alive, without their secrets.',
  input: z.strictObject({ limit, cursor: cursor(z.uuid()), maxStalenessMs }),
  output: Page(ApiKey),
  handle: async (deps, { limit, cursor: after = null }, caller) => {
    const { items, next } = await listKeys(deps, caller, { limit, after })
    return { items, nextCursor: cursorAt(next) }
  },
})

export const handler = lambda(list)
