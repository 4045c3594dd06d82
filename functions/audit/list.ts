import { AuditEntry, listAudit, Position } from '@twofold/core/audit/list.ts'
import { MemoryId, Moment } from '@twofold/core/memories/fields.ts'
import { NamespacePrefix } from '@twofold/core/namespaces/namespace.ts'
import { cursor, cursorAt, limit, Page } from '@twofold/operation/page.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const list = operation({
  name: 'audit.list',
  method: 'get',
  path: '/v1/audit',
  scope: 'audit:read',
  summary: 'Who read or changed what, in which request, newest first; never what it says.',
  input: z.strictObject({
    namespacePrefix: NamespacePrefix.optional(),
    memoryId: MemoryId.optional(),
    actor: z.string().min(1).max(255).optional().meta({ description: 'The id of a key, or system.' }),
    onBehalfOf: z.string().min(1).max(255).optional(),
    action: z
      .string()
      .regex(/^[a-z_]{1,40}\.[a-z_]{1,40}$/, 'must be the name of an operation, such as memories.add')
      .optional(),
    since: Moment.optional(),
    limit,
    cursor: cursor(Position),
    maxStalenessMs,
  }),
  output: Page(AuditEntry),
  handle: async (deps, { maxStalenessMs: _, cursor: after = null, ...query }, caller) => {
    const { items, next } = await listAudit(deps, caller, { ...query, after })
    return { items, nextCursor: cursorAt(next) }
  },
})

export const handler = lambda(list)
