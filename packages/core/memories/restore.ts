import type { Caller } from '@twofold/operation/caller.ts'
import type { Deps } from '../ports.ts'
import { type Statement, sql } from '../sql.ts'
import type { AnswerRow } from './answer.ts'
import { redraft, textOf } from './draft.ts'
import type { Memory, Remembered } from './memory.ts'
import { notFound, squashed } from './read.ts'
import type { Written } from './remember.ts'
import { revise } from './update.ts'
import { embeddedOf } from './write.sql.ts'

interface PastRow extends AnswerRow {
  past: Memory | null
  /** The vector of that version as text, when it had one. */
  vector: string | null
  /** There was such a version, and it is not kept. */
  squashed: boolean
}

/**
 * Undoes a soft deletion, or makes an old version the newest: either way a new version, so nothing that happened since
 * is lost. Refuses `not_found`, `gone` for a version that was squashed, `conflict` when the key was given to another memory meanwhile.
 */
export async function restore(deps: Deps, caller: Caller, id: string, version?: number): Promise<Written<Remembered>> {
  return revise(deps, caller, selectWithPast(id, version, deps.embedder.model), {
    action: 'memories.restore',
    reason: version === undefined ? undefined : `version ${version}`,
    next: (memory, at, row) => {
      const { past, vector, squashed: lost } = row as PastRow
      if (lost) throw squashed(`Version ${version}`)
      if (!past) throw notFound()
      const { content, value, key, type, kind, summary, importance, metadata, tags, entities, relations } = past
      const { conversationId, sessionId, taskId, speaker, occurredAt, expiresAt } = past
      const retexted = textOf(past) !== textOf(memory)
      const again = expiresAt !== null && expiresAt <= at.toISOString() ? null : expiresAt
      return redraft(
        deps,
        memory,
        {
          ...{ content, value, key, type, kind, summary, importance, metadata, tags, entities, relations, extractEntities: false },
          ...{ conversationId, sessionId, taskId, speaker, occurredAt, expiresAt: again },
          // The vector may be one that no model of ours makes.
          ...(retexted && vector !== null ? { embedding: JSON.parse(vector) as number[] } : {}),
        },
        at,
        past,
      )
    },
  })
}

/**
 * The memory as it is, deleted or not, beside the version to go back to: the named one, or the last that was not deleted;
 * and that version's vector, the last one made until then if it was made from the same text.
 */
const selectWithPast = (id: string, version: number | undefined, model: string): Statement<PastRow> => sql<PastRow>`
  select m.json as memory, iso(m.updated_at) as at, m.owes_embedding, m.owes_entities,
    l.revision = l.shown as shown, l.shown_version, iso(l.shown_at) as shown_at, l.parked_at is not null as parked, p.memory as past, e.vector,
    ${version ?? null}::int <= m.version and not exists (
      select from memory_versions v where v.tenant_id = m.tenant_id and v.memory_id = m.id and v.version = ${version ?? null}::int) as squashed
  from readable_memories m
  left join ledger l on l.tenant_id = m.tenant_id and l.id = m.id
  left join lateral (
    select v.version, v.memory from memory_versions v
    where v.tenant_id = m.tenant_id and v.memory_id = m.id and v.memory->>'deletedAt' is null
      and (${version ?? null}::int is null or v.version = ${version ?? null}::int)
    order by v.version desc limit 1) p on true
  left join lateral (
    select case when ${embeddedOf('o.memory')} = ${embeddedOf('p.memory')} then x.vector end as vector
    from (
      select e.version, e.embedding::text as vector from past_embeddings e where e.tenant_id = m.tenant_id and e.memory_id = m.id and e.model = ${model}
      union all
      select e.version, e.embedding::text from embeddings e where e.tenant_id = m.tenant_id and e.memory_id = m.id and e.model = ${model}) x
    join memory_versions o on o.tenant_id = m.tenant_id and o.memory_id = m.id and o.version = x.version
    where x.version <= p.version order by x.version desc limit 1) e on true
  where m.tenant_id = current_tenant() and m.id = ${id}::uuid and visible(m.namespace)`
