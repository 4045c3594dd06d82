import { describe, expect, test } from 'vitest'
import { digest } from './digest.ts'
import type { LedgerRow, MemoryTruth } from './lease.sql.ts'
import { projectionOf } from './projection.ts'

const ledger: Omit<LedgerRow, 'memory' | 'entity'> = {
  id: '01900000-0000-7000-8000-000000000001',
  kind: 'memory',
  subject: 'user:ada',
  bucket: 1,
  revision: 7,
  shown: 6,
  mine: true,
  taken: false,
  failed: false,
  generations: [1],
  epoch: 1,
  session: null,
}
const truth: MemoryTruth = {
  namespace: 'user:ada:work',
  type: 'semantic',
  kind: 'note',
  version: 2,
  contentHash: 'ab12',
  importance: 5,
  occurredAt: '2026-03-01T12:00:00.000Z',
  gone: false,
  mentions: null,
  relations: null,
  session: null,
  supersedes: null,
}
const of = (memory: Partial<MemoryTruth>) => projectionOf({ ...ledger, memory: { ...truth, ...memory }, entity: null })

describe('what the graph must show', () => {
  test('of a memory is what it is, never its content', () => {
    const shown = of({})
    expect(shown).toMatchObject({
      gone: false,
      kind: 'memory',
      id: ledger.id,
      revision: 7,
      bucket: 1,
      subject: 'user:ada',
      labels: [],
      properties: {
        namespace: 'user:ada:work',
        type: 'semantic',
        kind: 'note',
        version: 2,
        contentHash: 'ab12',
        importance: 5,
        occurredAt: truth.occurredAt,
      },
      edges: [],
    })
    expect(shown).toHaveProperty('digest', digest(shown as never))
  })

  test('of a memory has an edge for each mention, a second one for what it is about, one for each relation', () => {
    const by = { namespace: 'user:ada:work', confidence: 0.5 }
    expect(
      of({
        mentions: [
          { entity: 'e1', about: false, ...by },
          { entity: 'e2', about: true, ...by },
        ],
        relations: [{ from: 'e1', type: 'works_at', to: 'e2', ...by }],
      }),
    ).toMatchObject({
      edges: [
        { type: 'MENTIONS', from: ledger.id, to: 'e1', relation: '', ...by },
        { type: 'MENTIONS', from: ledger.id, to: 'e2', relation: '', ...by },
        { type: 'ABOUT', from: ledger.id, to: 'e2', relation: '', ...by },
        { type: 'RELATES_TO', from: 'e1', to: 'e2', relation: 'works_at', ...by },
      ],
    })
  })

  test('of a memory of a session is produced by it', () => {
    const by = { namespace: 'user:ada:work', confidence: 1 }
    expect(of({ session: 's1' })).toMatchObject({ edges: [{ type: 'PRODUCED', from: 's1', to: ledger.id, relation: '', ...by }] })
  })

  test('of a memory that took the place of others leads to them', () => {
    const by = { namespace: 'user:ada:work', confidence: 1 }
    expect(of({ supersedes: ['m1', 'm2'] })).toMatchObject({
      edges: [
        { type: 'SUPERSEDES', from: ledger.id, to: 'm1', relation: '', ...by },
        { type: 'SUPERSEDES', from: ledger.id, to: 'm2', relation: '', ...by },
      ],
    })
  })

  test('of a session is what it is, without its state, and no edges', () => {
    const session = {
      ...{ namespace: 'user:ada', name: 'today', appName: 'assistant', projectId: null, status: 'terminated' },
      ...{ createdAt: truth.occurredAt, terminatedAt: truth.occurredAt },
    }
    const { projectId, ...properties } = session
    expect(projectionOf({ ...ledger, kind: 'session', memory: null, entity: null, session })).toMatchObject({
      ...{ gone: false, kind: 'session', properties, labels: [], edges: [] },
    })
    expect(projectionOf({ ...ledger, kind: 'session', memory: null, entity: null })).toMatchObject({ gone: true, kind: 'session' })
  })

  test.each([
    ['decision', ['Decision']],
    ['commitment', ['Commitment']],
    ['pattern', ['Pattern']],
    ['preference', []],
    ['constructor', []],
  ])('of a %s has the labels %j', (kind, labels) => {
    expect(of({ kind })).toMatchObject({ labels })
  })

  test('of a memory that is deleted, expired or absent is a tombstone', () => {
    const tombstone = { gone: true, kind: 'memory', id: ledger.id, revision: 7, subject: 'user:ada', bucket: 1 }
    expect(of({ gone: true })).toEqual(tombstone)
    expect(projectionOf({ ...ledger, memory: null, entity: null })).toEqual(tombstone)
  })

  test('of an entity is its name, and an edge of its subject for each link', () => {
    const name = { type: 'person', value: 'Ada', normalized: 'ada' }
    const links = [{ type: 'works_at', to: 'e2', confidence: 0.5 }]
    const by = { namespace: 'user:ada', confidence: 0.5 }
    expect(projectionOf({ ...ledger, kind: 'entity', memory: null, entity: { ...name, links } })).toMatchObject({
      kind: 'entity',
      properties: name,
      labels: [],
      edges: [{ type: 'RELATES_TO', from: ledger.id, to: 'e2', relation: 'works_at', ...by }],
    })
    expect(projectionOf({ ...ledger, kind: 'entity', memory: null, entity: { ...name, links: null } })).toMatchObject({ edges: [] })
    expect(projectionOf({ ...ledger, kind: 'entity', memory: null, entity: null })).toMatchObject({ gone: true, kind: 'entity' })
  })
})
