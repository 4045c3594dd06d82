import { digest } from './digest.ts'
import type { EntityTruth, MemoryTruth, SessionTruth, Truth } from './lease.sql.ts'
import type { Edge, Projection, Shown } from './port.ts'

/** A map, because a kind is the caller's word, and `constructor` is one. */
const LABELS = new Map([
  ['decision', 'Decision'],
  ['commitment', 'Commitment'],
  ['pattern', 'Pattern'],
])

/**
 * What the graph must show of a ledger row, computed from the truth read with it. Content never goes into the graph:
 * it may only be shown from rows. What is deleted, expired or absent is gone.
 */
export function projectionOf(row: Truth): Projection {
  const { kind, id, subject, bucket, revision } = row
  const shows = showsOf(row)
  if (!shows) return { gone: true, kind, id, revision, subject, bucket }
  const shown = { kind, id, subject, ...shows }
  return { gone: false, ...shown, revision, bucket, digest: digest(shown) }
}

function showsOf({ id, subject, memory, entity, session }: Truth): Shows | null {
  if (memory) return memory.gone ? null : ofMemory(id, memory)
  if (entity) return ofEntity(id, subject, entity)
  return session && ofSession(session)
}

type Shows = Pick<Shown, 'labels' | 'properties' | 'edges'>

function ofMemory(id: string, memory: MemoryTruth): Shows {
  const { namespace, type, kind, version, contentHash, importance, occurredAt, session } = memory
  const mentions = (memory.mentions ?? []).flatMap(({ entity, about, confidence, namespace }): Edge[] => {
    const edge = { from: id, to: entity, relation: '', namespace, confidence }
    return about
      ? [
          { type: 'MENTIONS', ...edge },
          { type: 'ABOUT', ...edge },
        ]
      : [{ type: 'MENTIONS', ...edge }]
  })
  const relations = (memory.relations ?? []).map(
    ({ from, type, to, confidence, namespace }): Edge => ({ type: 'RELATES_TO', from, to, relation: type, namespace, confidence }),
  )
  const produced: Edge[] = session ? [{ type: 'PRODUCED', from: session, to: id, relation: '', namespace, confidence: 1 }] : []
  const superseded = (memory.supersedes ?? []).map(
    (old): Edge => ({ type: 'SUPERSEDES', from: id, to: old, relation: '', namespace, confidence: 1 }),
  )
  const label = LABELS.get(kind)
  return {
    labels: label ? [label] : [],
    properties: { namespace, type, kind, version, contentHash, importance, occurredAt },
    edges: [...mentions, ...relations, ...produced, ...superseded],
  }
}

const ofEntity = (id: string, subject: string, { type, value, normalized, links }: EntityTruth): Shows => ({
  labels: [],
  properties: { type, value, normalized },
  edges: (links ?? []).map(
    ({ type, to, confidence }): Edge => ({ type: 'RELATES_TO', from: id, to, relation: type, namespace: subject, confidence }),
  ),
})

/** Without its version: every event makes a new one, and nothing of that is shown. */
const ofSession = ({ namespace, name, appName, projectId, status, createdAt, terminatedAt }: SessionTruth): Shows => ({
  labels: [],
  properties: {
    ...{ namespace, name, appName, status, createdAt },
    ...(projectId === null ? {} : { projectId }),
    ...(terminatedAt === null ? {} : { terminatedAt }),
  },
  edges: [],
})
