import { createHash } from 'node:crypto'
import { canonical } from '@twofold/operation/json.ts'
import { type Statement, sql } from '../sql.ts'

/** A message by what recognises it. */
export interface Said {
  /** Its place in the request. */
  index: number
  hash: string
}

/**
 * What recognises messages that come again: who said what when, and which of those alike within one request it is, since
 * somebody may say "ok" twice.
 */
export function recognised(messages: readonly object[]): Said[] {
  const times = new Map<string, number>()
  return messages.map((message, index) => {
    const text = canonical(message)
    const n = times.get(text) ?? 0
    times.set(text, n + 1)
    return { index, hash: createHash('sha256').update(`${n} ${text}`).digest('hex') }
  })
}

export interface HeardRow {
  hash: string
  /** What was made of it; null: nothing. */
  id: string | null
}

const bytes = (hashes: readonly string[]): Statement => sql`array(select decode(h, 'hex') from unnest(${hashes}::text[]) h)`

/** Which of these were heard in this namespace, and what there is of them still. */
export const heardBefore = (namespace: string, hashes: readonly string[]): Statement<HeardRow> => sql<HeardRow>`
  select encode(h.hash, 'hex') as hash, h.memory_id as id from heard h
  where h.tenant_id = current_tenant() and h.namespace = ${namespace} and h.hash = any(${bytes(hashes)}) order by h.hash, h.n`

/**
 * Notes what was heard and what became of it; what somebody has deleted for good meanwhile is not named. A twin that
 * notes the same at this moment makes it fail by the unique key.
 */
export function noteHeard(namespace: string, heard: readonly { hash: string; ids: readonly string[] }[]): Statement[] {
  const rows = heard.flatMap(({ hash, ids }) => (ids.length === 0 ? [null] : ids).map((id, n) => ({ hash, n, id })))
  if (rows.length === 0) return []
  return [
    sql`with there as materialized (
        select m.id from memories m where m.tenant_id = current_tenant() and m.id = any(${heard.flatMap(({ ids }) => ids)}::uuid[]) order by m.id for key share)
      insert into heard (tenant_id, namespace, hash, n, memory_id)
      select current_tenant(), ${namespace}, decode(w.hash, 'hex'), w.n, t.id
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as w (hash text, n smallint, id uuid) left join there t using (id) order by 3, 4`,
  ]
}
