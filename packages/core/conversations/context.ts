import type { Caller } from '@twofold/operation/caller.ts'
import * as z from 'zod-own'
import type { Deps } from '../ports.ts'
import { sql } from '../sql.ts'
import { called, type Inside, Turn } from './conversation.ts'

export const Context = z.object({
  turns: z.array(Turn.pick({ id: true, query: true, answer: true, timestamp: true })),
  tokens: z.number().optional().meta({ description: 'Of the turns shown, where maxTokens was given.' }),
})
export type Context = z.infer<typeof Context>

/**
 * What was said last, oldest first, never an expired turn; at most `limit` turns and no more than the configuration allows.
 * With `maxTokens` the newest turns that fit into it together; a turn is shown whole or not at all. Where nothing was said
 * there are no turns: one may ask before the first.
 */
export async function readContext(
  deps: Deps,
  caller: Caller,
  id: string,
  { limit, maxTokens }: { limit: number; maxTokens?: number | undefined },
): Promise<Context & Partial<Inside>> {
  const now = deps.now().toISOString()
  const { rows } = await deps.db.asCaller(caller, null, [
    sql<Context['turns'][number] & Inside>`
      select c.id as key, c.namespace, u.id, u.query, u.answer, iso(u.at) as timestamp
      from conversations c cross join lateral (
        select * from turns u where u.tenant_id = c.tenant_id and u.conversation_id = c.id and u.expires_at > ${now}::timestamptz
        order by u.at desc, u.id desc limit ${Math.min(limit, deps.settings.maxContextTurns)}::int) u
      where ${called(id, now)} order by u.at desc, u.id desc`,
  ])
  const inside = rows[0][0] && { namespace: rows[0][0].namespace, key: rows[0][0].key }
  if (maxTokens === undefined) return { turns: rows[0].reverse(), ...inside }
  // Making its vocabulary is a tenth of what a function's start computes, and most callers count turns alone.
  const { countTokens } = await import('../text/tokens.ts')
  let tokens = 0
  const turns: Context['turns'] = []
  for (const turn of rows[0]) {
    const more = countTokens(turn.query) + countTokens(turn.answer)
    if (tokens + more > maxTokens) break
    tokens += more
    turns.unshift(turn)
  }
  return { turns, tokens, ...inside }
}
