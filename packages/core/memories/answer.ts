import { type Statement, sql } from '../sql.ts'
import type { Memory, Receipt, Remembered } from './memory.ts'

/** A readable memory with what the ledger knows of it. */
export interface AnswerRow {
  memory: Memory
  at: string
  owes_embedding: boolean
  owes_entities: boolean
  shown: boolean | null
  shown_version: number | null
  shown_at: string | null
  parked: boolean | null
}

const receiptColumns = sql`iso(m.updated_at) as at, m.owes_embedding, m.owes_entities,
  l.revision = l.shown as shown, l.shown_version, iso(l.shown_at) as shown_at, l.parked_at is not null as parked`

/** The current version of the memories that `where` (over `m`) picks, in the order given. */
export const selectAnswers = (where: Statement, order: Statement = sql`m.id`): Statement<AnswerRow> => sql<AnswerRow>`
  select m.json as memory, ${receiptColumns}
  from readable_memories m left join ledger l on l.tenant_id = m.tenant_id and l.id = m.id
  where m.tenant_id = current_tenant() and ${where}
  order by ${order}`

/** Given versions of memories as they were shown, with the receipt as it is now. */
export const selectVersions = (targets: readonly { id: string; version: number }[]): Statement<AnswerRow & { namespace: string }> => sql`
  select v.memory, v.namespace, ${receiptColumns}
  from jsonb_to_recordset(${JSON.stringify(targets)}::jsonb) t (id uuid, version int)
  join memory_versions v on v.tenant_id = current_tenant() and v.memory_id = t.id and v.version = t.version
  join readable_memories m on m.tenant_id = v.tenant_id and m.id = v.memory_id
  left join ledger l on l.tenant_id = m.tenant_id and l.id = m.id
  where visible(v.namespace)`

export type CacheState = Receipt['stores']['cache']['state']

/** What a caller is told of where his memory stands. */
export function receipt(row: AnswerRow, options: { graphEnabled: boolean; cache?: CacheState }): Receipt {
  const version = row.memory.version
  const cache = options.cache ?? 'written'
  const graph = !options.graphEnabled
    ? { state: 'disabled' as const, version: null, at: null }
    : row.shown
      ? { state: 'written' as const, version: row.shown_version, at: row.shown_at }
      : { state: row.parked ? ('failed' as const) : ('owed' as const), version: row.shown_version, at: row.shown_at }
  return {
    vectorWriteSuccess: !row.owes_embedding,
    graphWriteSuccess: graph.state === 'written',
    stores: {
      vector: {
        state: row.owes_embedding ? 'owed' : 'written',
        version: row.owes_embedding ? null : version,
        at: row.owes_embedding ? null : row.at,
      },
      graph,
      cache: { state: cache },
    },
    owed: [
      ...(row.owes_embedding ? (['embedding'] as const) : []),
      ...(row.owes_entities ? (['entities'] as const) : []),
      ...(graph.state === 'owed' ? (['graph'] as const) : []),
      ...(cache === 'failed' ? (['cache'] as const) : []),
    ],
  }
}

export const remembered = (row: AnswerRow, options: { graphEnabled: boolean; cache?: CacheState }): Remembered => ({
  memory: row.memory,
  receipt: receipt(row, options),
})
