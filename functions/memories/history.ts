import { MemoryId, Version } from '@twofold/core/memories/fields.ts'
import { history as historyOf } from '@twofold/core/memories/history.ts'
import { cursor, cursorAt, limit, Page } from '@twofold/operation/page.ts'
import { maxStalenessMs } from '@twofold/operation/staleness.ts'
import * as z from 'zod-own'
import { lambda } from '../lambda.ts'
import { operation } from '../operation.ts'
import { HistoryItem } from './history-item.ts'

export const history = operation({
  name: 'memories.history',
  method: 'get',
  path: '/v1/memories/{id}/history',
  scope: 'memories:read',
  summary: 'Every version of a memory, newest first: who, when, what and why.',
  mcp: 'get_memory_history',
  input: z.strictObject({ id: MemoryId, limit, cursor: cursor(Version), maxStalenessMs }),
  output: Page(HistoryItem),
  handle: async (deps, { id, limit, cursor: after = null }, caller) => {
    const { items, next } = await historyOf(deps, caller, id, { limit, after })
    return { items, nextCursor: cursorAt(next) }
  },
})

export const handler = lambda(history)
