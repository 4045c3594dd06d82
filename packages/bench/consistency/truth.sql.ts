import { type Statement, sql } from '@twofold/core/sql.ts'

export interface Entity {
  id: string
  type: string
  value: string
}

/** One that mentions these entities, of which the first lives in the second. */
export interface Memory {
  id: string
  entities: readonly [string, string]
}

/** So many in one transaction: more only fill it. */
export const MOST = 5_000
export const SUBJECT = 'user:ada'

/** Memories and entities as the write path leaves them, owed to the graph, in as many statements however many there are. */
export const truth = (memories: readonly Memory[], entities: readonly Entity[], now: string): Statement[] => {
  const given = sql`jsonb_to_recordset(${JSON.stringify(memories)}::jsonb) as m (id uuid, entities uuid[])`
  return [
    sql`insert into memories (tenant_id, id, namespace, type, kind, content, importance, metadata, tags, entities, relations, occurred_at,
        version, created_by, updated_by, created_at, updated_at)
      select current_tenant(), m.id, ${SUBJECT}, 'semantic', 'note', 'memory ' || m.id, 5, '{}', '{}', '[]', '[]', ${now}::timestamptz,
        1, 'test', 'test', ${now}::timestamptz, ${now}::timestamptz from ${given}`,
    sql`insert into entities (tenant_id, id, subject, type, normalized, value, created_at)
      select current_tenant(), e.id, ${SUBJECT}, e.type, lower(e.value), e.value, ${now}::timestamptz
      from jsonb_to_recordset(${JSON.stringify(entities)}::jsonb) as e (id uuid, type text, value text)`,
    sql`insert into memory_entities (tenant_id, memory_id, entity_id, namespace, confidence, about)
      select current_tenant(), m.id, e.id, ${SUBJECT}, 1, false from ${given}, unnest(m.entities) e (id)`,
    sql`insert into relations (tenant_id, memory_id, from_id, type, to_id, namespace, confidence)
      select current_tenant(), m.id, m.entities[1], 'lives_in', m.entities[2], ${SUBJECT}, 0.5 from ${given}`,
    owe('entity', entities, now),
    owe('memory', memories, now),
  ]
}

export const owe = (kind: 'memory' | 'entity', things: readonly { id: string }[], now: string): Statement => sql`
  select owe(${kind}, array_agg(id), array_agg(${SUBJECT}::text), ${now}::timestamptz)
  from unnest(${things.map(({ id }) => id)}::uuid[]) t (id) having count(*) > 0`

/** Deletes these memories, which leaves tombstones in the graph. */
export const deletion = (memories: readonly { id: string }[], now: string): Statement[] => [
  sql`update memories set deleted_at = ${now}::timestamptz
    where tenant_id = current_tenant() and id = any(${memories.map(({ id }) => id)}::uuid[])`,
  owe('memory', memories, now),
]
