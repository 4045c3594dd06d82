import { SCOPES } from '@twofold/operation/operation.ts'
import * as z from 'zod-own'
import { Moment } from '../memories/fields.ts'
import { NamespacePrefix } from '../namespaces/namespace.ts'

const Grant = z.union([z.literal('*'), NamespacePrefix], { error: 'must be "*" or a namespace prefix such as user:alice' })

export const KeyInput = z.strictObject({
  name: z.string().min(1).max(255),
  scopes: z.array(z.enum(SCOPES)).min(1),
  namespaces: z.array(Grant).min(1).max(100),
  expiresAt: Moment.optional(),
})
export type KeyInput = z.infer<typeof KeyInput>

export const ApiKey = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(z.string()),
    namespaces: z.array(z.string()),
    createdAt: z.string(),
    expiresAt: z.string().nullable(),
    lastUsedAt: z.string().nullable(),
    revokedAt: z.string().nullable(),
  })
  .meta({ id: 'Key' })
export type ApiKey = z.infer<typeof ApiKey>

/** The secret is shown once, in the first answer; only its hash is kept. */
export const KeyAnswer = z.object({ key: ApiKey, secret: z.string().optional() })
export type KeyAnswer = z.infer<typeof KeyAnswer>
