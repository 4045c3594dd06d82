import { type Statement, sql } from '../sql.ts'
import { within } from './inside.sql.ts'
import { below } from './namespace.ts'

/** How far somebody has come who looks at all memories of a prefix. */
export interface Position {
  namespace: string
  id: string
}

export const BEGINNING: Position = { namespace: '', id: '00000000-0000-0000-0000-000000000000' }

/** The memories of a prefix that come next, in the order of an index, so that each step costs the same. */
export const walked = (prefix: string, after: Position, most: number): Statement => sql`
  select m.id, m.namespace, m.version, m.deleted_at is not null as deleted from memories m
  where m.tenant_id = current_tenant() and m.namespace >= ${prefix} and m.namespace < ${`${prefix};`} and ${within(sql`m.namespace`, below(prefix))}
    and (m.namespace, m.id) > (${after.namespace} collate "C", ${after.id}::uuid)
  order by m.namespace, m.id limit ${most}::int`
