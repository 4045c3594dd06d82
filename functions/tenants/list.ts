import { listTenants, Tenant } from '@twofold/core/tenants/tenants.ts'
import { cursor, cursorAt, limit, Page } from '@twofold/operation/page.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const list = operation({
  name: 'tenants.list',
  method: 'get',
  path: '/v1/tenants',
  scope: 'operator',
  summary: 'Every tenant of this deployment.',
  input: z.strictObject({ limit, cursor: cursor(z.uuid()) }),
  output: Page(Tenant),
  handle: async (deps, { limit, cursor: after = null }) => {
    const { items, next } = await listTenants(deps, { limit, after })
    return { items, nextCursor: cursorAt(next) }
  },
})

export const handler = lambda(list)
