import { Key, Version } from '@twofold/core/memories/fields.ts'
import { historyWhich } from '@twofold/core/memories/history.ts'
import { holder } from '@twofold/core/namespaces/holder.sql.ts'
import { Namespace } from '@twofold/core/namespaces/namespace.ts'
import { cursor, cursorAt, limit, Page } from '@twofold/operation/page.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { HistoryItem } from '../memories/history-item.ts'
import { operation } from '../operation.ts'

export const keyHistory = operation({
  name: 'namespaces.key_history',
  method: 'get',
  path: '/v1/namespaces/{namespace}/keys/{key}/history',
  scope: 'memories:read',
  summary: 'Every version of the memory that has a key, or had it last; newest first.',
  input: z.strictObject({ namespace: Namespace, key: Key, limit, cursor: cursor(Version), maxStalenessMs }),
  output: Page(HistoryItem),
  handle: async (deps, { namespace, key, limit, cursor: after = null }, caller) => {
    const { items, next } = await historyWhich(deps, caller, holder({ namespace, key }), { limit, after })
    return { items, nextCursor: cursorAt(next) }
  },
})

export const handler = lambda(keyHistory)
