import { makeTenant, Tenant } from '@twofold/core/tenants/tenants.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const make = operation({
  name: 'tenants.make',
  method: 'post',
  path: '/v1/tenants',
  scope: 'operator',
  summary: 'Make a tenant; answers its first admin key, whose secret is shown once.',
  input: z.strictObject({
    name: z.string().min(1).max(255),
    placement: z.string().default('home').meta({ description: 'Where it shall live: `home`, or a place that the deployment names.' }),
  }),
  output: z.object({ tenant: Tenant, secret: z.string() }),
  status: 201,
  // A known name is refused, so sending it again cannot make a second tenant; a secret is never shown twice.
  write: false,
  example: { name: 'acme' },
  handle: (deps, { name, placement }) => makeTenant(deps, name, placement),
})

export const handler = lambda(make)
