import { randomUUID } from 'node:crypto'
import type { LedgerRow } from '@twofold/core/graph/lease.sql.ts'
import type { Projection } from '@twofold/core/graph/port.ts'
import { projectionOf } from '@twofold/core/graph/projection.ts'
import { textOf } from '../texts.ts'
import { vectorOf } from '../vectors.ts'

export const NAMESPACE = 'user:bench'
const BUCKETS = 250

/** Vectors take longer to make than anything takes to store them; what is measured here is blind to their being the same. */
const vectors = Array.from({ length: 256 }, (_, i) => JSON.stringify(vectorOf(i)))

/** What is remembered for a number, as JSON: words, vector and two entities that nothing else mentions, so that no model is waited for. */
export function given(i: number, more: object = {}): string {
  const entities = [
    { type: 'person', value: `Person ${i}` },
    { type: 'organization', value: `Company ${i}` },
  ]
  const rest = JSON.stringify({ namespace: NAMESPACE, content: `${i}: ${textOf(i)}`, extractEntities: false, entities, ...more })
  return `${rest.slice(0, -1)},"embedding":${vectors[i % vectors.length]}}`
}

export const givenMany = (from: number, n: number, more: object = {}): string =>
  `{"items":[${Array.from({ length: n }, (_, i) => given(from + i, more)).join(',')}]}`

/** Of so many memories, each with its two entities beside it: what the service itself would have the graph show, with ids of their own each time. */
export function projections(memories: number): Projection[] {
  return Array.from({ length: memories }, (_, i) => {
    const [person, company] = [entity('person', `Person ${i}`), entity('organization', `Company ${i}`)]
    const mentions = [person, company].map(({ id }) => ({ entity: id, about: false, confidence: 1, namespace: NAMESPACE }))
    const memory = {
      namespace: NAMESPACE,
      type: 'semantic',
      kind: 'note',
      version: 1,
      contentHash: 'c0ffee'.repeat(10) + String(i).padStart(4, '0'),
      importance: 5,
      occurredAt: '2026-03-01T12:00:00.000Z',
      gone: false,
      mentions,
      relations: null,
      session: null,
      supersedes: null,
    }
    return [row({ kind: 'memory', memory }), person, company].map(projectionOf)
  }).flat()
}

const entity = (type: string, value: string) =>
  row({ kind: 'entity', entity: { type, value, normalized: value.toLowerCase(), links: null } })

const row = (of: Pick<LedgerRow, 'kind'> & Partial<LedgerRow>): LedgerRow => ({
  id: randomUUID(),
  subject: NAMESPACE,
  bucket: Math.floor(Math.random() * BUCKETS),
  revision: 1,
  shown: 0,
  mine: true,
  taken: false,
  failed: false,
  generations: [1],
  epoch: 1,
  memory: null,
  entity: null,
  session: null,
  ...of,
})

export const slices = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size))
