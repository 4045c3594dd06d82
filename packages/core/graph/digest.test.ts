import { describe, expect, test } from 'vitest'
import { canonical, digest } from './digest.ts'
import type { Edge } from './port.ts'

const ada = '01900000-0000-7000-8000-000000000001'
const acme = '01900000-0000-7000-8000-000000000002'
const note = '01900000-0000-7000-8000-000000000003'

const entity = {
  kind: 'entity' as const,
  id: ada,
  subject: 'user:ada',
  labels: [],
  properties: { type: 'person', value: 'Ada', normalized: 'ada' },
  edges: [],
}
const edges: Edge[] = [
  { type: 'MENTIONS', from: note, to: ada, relation: '', namespace: 'user:ada', confidence: 1 },
  { type: 'RELATES_TO', from: ada, to: acme, relation: 'works_at', namespace: 'user:ada', confidence: 0.5 },
]
const memory = {
  kind: 'memory' as const,
  id: note,
  subject: 'user:ada',
  labels: ['Decision'],
  properties: { namespace: 'user:ada', kind: 'decision', version: 3, importance: 7.25, pinned: true, title: '🎉 é' },
  edges,
}

describe('the digest of what the graph must show', () => {
  test('is made of one string of lengths and fields', () => {
    expect(canonical(entity)).toBe(`6:entity36:${ada}8:user:ada1:01:319:10:normalized4:sada15:4:type7:sperson13:5:value4:sAda1:0`)
  })

  test('has these values, in this language and in any other', () => {
    expect(digest(entity)).toEqual([-2070754466, 822735396])
    expect(digest(memory)).toEqual([2057252492, 1852955617])
  })

  test('does not depend on the order in which labels, properties and edges come', () => {
    const { title, ...rest } = memory.properties
    expect(digest({ ...memory, edges: [...edges].reverse(), properties: { title, ...rest } })).toEqual(digest(memory))
    const wide = ['\u{1F389}', '\uFFFD', 'z', 'Ä']
    expect(digest({ ...memory, labels: wide })).toEqual(digest({ ...memory, labels: [...wide].reverse() }))
  })

  test('changes with every single thing that is shown', () => {
    const variants = [
      { ...memory, kind: 'entity' as const },
      { ...memory, id: ada },
      { ...memory, subject: 'user:bob' },
      { ...memory, labels: [] },
      { ...memory, labels: ['Decision', 'Pattern'] },
      { ...memory, properties: { ...memory.properties, version: 4 } },
      { ...memory, properties: { ...memory.properties, version: '3' } },
      { ...memory, properties: { ...memory.properties, pinned: 'true' } },
      { ...memory, properties: { ...memory.properties, pinned: false } },
      { ...memory, properties: { ...memory.properties, extra: '' } },
      { ...memory, edges: edges.slice(1) },
      ...(['type', 'from', 'to', 'relation', 'namespace', 'confidence'] as const).map((field) => ({
        ...memory,
        edges: [edges[0] as Edge, { ...(edges[1] as Edge), [field]: field === 'confidence' ? 0.25 : field === 'type' ? 'ABOUT' : 'x' }],
      })),
    ]
    const digests = [memory, ...variants].map((shown) => digest(shown).join())
    expect(new Set(digests).size).toBe(digests.length)
  })

  test('cannot be forged by moving a character from one field to the next', () => {
    const named = (type: string, value: string) => digest({ ...entity, properties: { type, value } })
    expect(named('person', '5:value')).not.toEqual(named('person5:value', ''))
    expect(named('a\u001fb', 'c')).not.toEqual(named('a', 'b\u001fc'))
  })

  test('takes -0 and 0 for the same number, since no JSON tells them apart', () => {
    const of = (version: number) => digest({ ...memory, properties: { version } })
    expect(of(-0)).toEqual(of(0))
  })
})
