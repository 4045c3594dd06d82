import { digest } from './digest.ts'
import type { EntityTruth, LedgerRow, MemoryTruth } from './lease.sql.ts'
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
export function projectionOf(row: LedgerRow): Projection {
  const { kind, id, subject, bucket, revision } = row
  const shows = row.memory && !row.memory.gone ? ofMemory(id, row.memory) : row.entity ? ofEntity(row.entity) : null
  if (!shows) return { gone: true, kind, id, revision, subject, bucket }
  const shown = { kind, id, subject, ...shows }
  return { gone: false, ...shown, revision, bucket, digest: digest(shown) }
}

type Shows = Pick<Shown, 'labels' | 'properties' | 'edges'>

function ofMemory(id: string, memory: MemoryTruth): Shows {
  const { namespace, type, kind, version, contentHash, importance, occurredAt } = memory
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
  const label = LABELS.get(kind)
  return {
    labels: label ? [label] : [],
    properties: { namespace, type, kind, version, contentHash, importance, occurredAt },
    edges: [...mentions, ...relations],
  }
}

const ofEntity = ({ type, value, normalized }: EntityTruth): Shows => ({ labels: [], properties: { type, value, normalized }, edges: [] })
