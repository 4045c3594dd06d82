import { suspendTenant, Tenant } from '@twofold/core/tenants/tenants.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const suspend = operation({
  name: 'tenants.suspend',
  method: 'patch',
  path: '/v1/tenants/{id}',
  scope: 'operator',
  summary: 'Suspend a tenant, whose keys are then refused, or let it go on.',
  input: z.strictObject({ id: z.uuid(), suspended: z.boolean() }),
  output: z.object({ tenant: Tenant }),
  write: false,
  handle: async (deps, { id, suspended }) => ({ tenant: await suspendTenant(deps, id, suspended) }),
})

export const handler = lambda(suspend)
