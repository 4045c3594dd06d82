import { listNamespaces, NamespaceItem } from '@twofold/core/namespaces/list.ts'
import { Namespace, NamespacePrefix } from '@twofold/core/namespaces/namespace.ts'
import { cursor, cursorAt, limit, Page } from '@twofold/operation/page.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'

export const list = operation({
  name: 'namespaces.list',
  method: 'get',
  path: '/v1/namespaces',
  scope: 'memories:read',
  summary: 'The namespaces that have memories, by name: how many, of which type, and when the last of them changed.',
  mcp: 'list_namespaces',
  input: z.strictObject({ prefix: NamespacePrefix.optional(), limit, cursor: cursor(Namespace), maxStalenessMs }),
  output: Page(NamespaceItem),
  example: { prefix: 'user:alice' },
  handle: async (deps, { prefix, limit, cursor: after = null }, caller) => {
    const { items, next } = await listNamespaces(deps, caller, { prefix, limit, after })
    return { items, nextCursor: cursorAt(next) }
  },
})

export const handler = lambda(list)
