import { createHash } from 'node:crypto'
import { GraphStoreError } from '@twofold/core/failures.ts'
import { digest } from '@twofold/core/graph/digest.ts'
import type { Edge, Found, Gone, GraphPort, Projection, Shown, Traversal } from '@twofold/core/graph/port.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

export interface GraphUnderTest {
  graph: GraphPort
  /** A tenant with an empty graph of generation 1. */
  tenant(): Promise<string>
  /** What this store can never take. */
  poison(id: string): Projection
  close(): Promise<void>
}

const everything = [{ low: '', high: '\u{10FFFF}' }]
const first = { generations: [1] }

/** A UUID that is the same in every run, in the order of its number. */
export const uuid = (n: number, of = ''): string => {
  const hash = createHash('sha256').update(`${of}${n}`).digest('hex')
  return `0190${String(n).padStart(4, '0').slice(-4)}-${hash.slice(0, 4)}-7${hash.slice(4, 7)}-8${hash.slice(7, 10)}-${hash.slice(10, 22)}`
}

type Given = Partial<Omit<Shown, 'gone' | 'digest'>>

const shown = (given: Given & { id: string }): Shown => {
  const node = { kind: 'entity' as const, subject: 'user:ada', labels: [], properties: {}, edges: [], revision: 1, bucket: 3, ...given }
  return { gone: false, ...node, digest: digest(node) }
}

export const entity = (id: string, value: string, given: Given = {}): Shown =>
  shown({ id, properties: { type: 'person', value, normalized: value.toLowerCase() }, ...given })

export const memory = (
  id: string,
  mentions: readonly string[],
  given: Given & { namespace?: string; relations?: [string, string, string][] } = {},
): Shown => {
  const { namespace = 'user:ada', relations = [], ...rest } = given
  const edges: Edge[] = [
    ...mentions.map((to): Edge => ({ type: 'MENTIONS', from: id, to, relation: '', namespace, confidence: 1 })),
    ...relations.map(([from, relation, to]): Edge => ({ type: 'RELATES_TO', from, to, relation, namespace, confidence: 0.5 })),
  ]
  return shown({ id, kind: 'memory', properties: { namespace, kind: 'note', version: 1 }, edges, ...rest })
}

export const gone = (id: string, revision: number, kind: Gone['kind'] = 'entity', subject = 'user:ada'): Gone => ({
  gone: true,
  kind,
  id,
  revision,
  subject,
  bucket: 3,
})

/** Whatever stands behind the Graph port must do all of this. */
export function graphContract(name: string, make: () => Promise<GraphUnderTest>): void {
  describe(name, () => {
    let under: GraphUnderTest
    let graph: GraphPort
    beforeAll(async () => {
      under = await make()
      graph = under.graph
    }, 60_000)
    afterAll(() => under?.close())

    const from = (tenant: string, start: readonly string[], given: Partial<Traversal> = {}, options = first): Promise<Found> =>
      graph.traverse(tenant, { start, ranges: everything, via: [], direction: 'both', hops: 1, limit: 100, ...given }, options)
    const ids = async (found: Promise<Found>) => (await found).nodes.map((node) => node.id)
    const apply = (tenant: string, ...batch: Projection[]) => graph.apply(tenant, batch, first)
    const [ada, acme, turin, note, other] = [uuid(1), uuid(2), uuid(3), uuid(10), uuid(11)] as [string, string, string, string, string]

    describe('what it shows', () => {
      test('a memory leads to what it mentions, and back', async () => {
        const tenant = await under.tenant()
        await apply(tenant, memory(note, [ada, acme]), entity(ada, 'Ada'), entity(acme, 'Acme'))
        expect(await from(tenant, [note])).toEqual({
          nodes: [
            { id: note, kind: 'memory', hops: 0 },
            { id: ada, kind: 'entity', hops: 1 },
            { id: acme, kind: 'entity', hops: 1 },
          ],
          edges: [
            { type: 'MENTIONS', from: note, to: ada, relation: '' },
            { type: 'MENTIONS', from: note, to: acme, relation: '' },
          ],
          cut: false,
        })
        expect(await ids(from(tenant, [ada]))).toEqual([ada, note])
        expect(await graph.counts(tenant, first)).toEqual({ memories: 1, entities: 2, sessions: 0, edges: 2 })
      })

      test('an edge whose other end comes later is seen once it is there', async () => {
        const tenant = await under.tenant()
        await apply(tenant, memory(note, [ada]))
        expect(await from(tenant, [note])).toMatchObject({ nodes: [{ id: note }], edges: [] })
        expect((await graph.counts(tenant, first)).edges).toBe(0)
        await apply(tenant, entity(ada, 'Ada'))
        expect(await ids(from(tenant, [note]))).toEqual([note, ada])
        expect((await graph.counts(tenant, first)).edges).toBe(1)
      })

      test('an edge that several memories assert is answered once, and stays while one of them is left', async () => {
        const tenant = await under.tenant()
        const works: [string, string, string] = [ada, 'works_at', acme]
        await apply(
          tenant,
          entity(ada, 'Ada'),
          entity(acme, 'Acme'),
          memory(note, [], { relations: [works] }),
          memory(other, [], { relations: [works] }),
        )
        const relation = [{ type: 'RELATES_TO', from: ada, to: acme, relation: 'works_at' }]
        expect((await from(tenant, [ada])).edges).toEqual(relation)
        await apply(tenant, gone(note, 2, 'memory'))
        expect((await from(tenant, [ada])).edges).toEqual(relation)
        await apply(tenant, gone(other, 2, 'memory'))
        expect(await from(tenant, [ada])).toMatchObject({ nodes: [{ id: ada }], edges: [] })
      })

      test('a new revision replaces all the edges it asserted, and no others', async () => {
        const tenant = await under.tenant()
        await apply(
          tenant,
          entity(ada, 'Ada'),
          entity(acme, 'Acme'),
          entity(turin, 'Turin'),
          memory(note, [ada, acme]),
          memory(other, [ada]),
        )
        await apply(tenant, memory(note, [acme, turin], { revision: 2 }))
        expect(await ids(from(tenant, [note]))).toEqual([note, acme, turin])
        expect(await ids(from(tenant, [ada]))).toEqual([ada, other])
      })
    })

    describe('the fence', () => {
      test('an older revision never overwrites a newer one, nor its edges', async () => {
        const tenant = await under.tenant()
        await apply(tenant, entity(ada, 'Ada'), entity(acme, 'Acme'), memory(note, [acme], { revision: 5 }))
        await apply(tenant, memory(note, [ada], { revision: 4 }))
        expect(await ids(from(tenant, [note]))).toEqual([note, acme])
        expect(await ids(from(tenant, [ada]))).toEqual([ada])
      })

      test('an upsert that comes after its tombstone brings nothing back', async () => {
        const tenant = await under.tenant()
        await apply(tenant, entity(ada, 'Ada'), memory(note, [ada]))
        await apply(tenant, gone(note, 3, 'memory'))
        for (const revision of [1, 2, 3]) await apply(tenant, memory(note, [ada], { revision }))
        expect(await from(tenant, [note])).toEqual({ nodes: [], edges: [], cut: false })
        expect(await graph.counts(tenant, first)).toEqual({ memories: 0, entities: 1, sessions: 0, edges: 0 })
      })

      test('a tombstone that comes after a newer revision takes nothing away', async () => {
        const tenant = await under.tenant()
        await apply(tenant, entity(ada, 'Ada'), memory(note, [ada], { revision: 4 }))
        await apply(tenant, gone(note, 3, 'memory'))
        expect(await ids(from(tenant, [note]))).toEqual([note, ada])
      })

      test('a thing made again under its old id is shown once its revision is past the tombstone', async () => {
        const tenant = await under.tenant()
        await apply(tenant, entity(ada, 'Ada'), memory(note, [ada]))
        await apply(tenant, gone(note, 2, 'memory'))
        await apply(tenant, memory(note, [ada], { revision: 3 }))
        expect(await ids(from(tenant, [note]))).toEqual([note, ada])
      })

      test('the same batch twice is the same as once', async () => {
        const tenant = await under.tenant()
        const batch = [
          entity(ada, 'Ada'),
          entity(acme, 'Acme'),
          memory(note, [ada], { relations: [[ada, 'works_at', acme]] }),
          gone(other, 2, 'memory'),
        ]
        await apply(tenant, ...batch)
        const once = [await from(tenant, [ada], { hops: 2 }), await graph.counts(tenant, first)]
        await apply(tenant, ...batch)
        expect([await from(tenant, [ada], { hops: 2 }), await graph.counts(tenant, first)]).toEqual(once)
      })

      test('of two writers on one memory the newer revision wins whole, whoever comes last', async () => {
        const tenant = await under.tenant()
        await apply(tenant, entity(ada, 'Ada'), entity(acme, 'Acme'))
        for (let round = 0; round < 10; round++) {
          const id = uuid(100 + round)
          await Promise.all([apply(tenant, memory(id, [acme], { revision: 2 })), apply(tenant, memory(id, [ada], { revision: 1 }))])
          expect(await ids(from(tenant, [id]))).toEqual([id, acme])
        }
      })

      test('many writers with overlapping batches all finish, and the newest of each thing stands', async () => {
        const tenant = await under.tenant()
        const things = Array.from({ length: 20 }, (_, i) => uuid(200 + i))
        const writers = Array.from({ length: 8 }, (_, w) =>
          (w % 2 ? things : [...things].reverse()).map((id) => memory(id, [ada], { revision: w + 1 })),
        )
        await Promise.all(writers.map((batch) => apply(tenant, ...batch)))
        await apply(tenant, ...things.map((id) => memory(id, [], { revision: 8 })), entity(ada, 'Ada'))
        expect(await ids(from(tenant, [ada]))).toEqual([ada])
        expect((await graph.counts(tenant, first)).memories).toBe(20)
      })

      test('an empty batch changes nothing', async () => {
        const tenant = await under.tenant()
        await apply(tenant)
        expect(await graph.counts(tenant, first)).toEqual({ memories: 0, entities: 0, sessions: 0, edges: 0 })
      })
    })

    describe('tombstones', () => {
      test('only those written before the given moment are purged, and their number is told', async () => {
        const tenant = await under.tenant()
        await apply(tenant, entity(ada, 'Ada'), memory(note, [ada]))
        await apply(tenant, gone(note, 2, 'memory'), gone(acme, 2))
        expect(await graph.purge(tenant, new Date(0), first)).toBe(0)
        expect(await graph.purge(tenant, new Date(Date.UTC(9000, 0)), first)).toBe(2)
        expect(await graph.purge(tenant, new Date(Date.UTC(9000, 0)), first)).toBe(0)
        expect(await ids(from(tenant, [ada]))).toEqual([ada])
      })
    })

    describe('where a traversal goes', () => {
      const chain = [1, 2, 3, 4, 5, 6].map((n) => uuid(n)) as [string, string, string, string, string, string]
      const linked = async () => {
        const tenant = await under.tenant()
        const relations = chain.slice(1).map((id, i): [string, string, string] => [chain[i] as string, i % 2 ? 'knows' : 'works_at', id])
        await apply(tenant, ...chain.map((id, i) => entity(id, `Thing ${i}`)), memory(note, [], { relations }))
        return tenant
      }

      test('as many hops as asked, no more, each node at its shortest distance', async () => {
        const tenant = await linked()
        for (const hops of [1, 2, 3, 4]) expect(await ids(from(tenant, [chain[0]], { hops }))).toEqual(chain.slice(0, hops + 1))
        const found = await from(tenant, [chain[0], chain[3]], { hops: 2 })
        expect(found.nodes.map((node) => [node.id, node.hops])).toEqual([
          [chain[0], 0],
          [chain[3], 0],
          [chain[1], 1],
          [chain[2], 1],
          [chain[4], 1],
          [chain[5], 2],
        ])
      })

      test('along the edges, against them, or both ways', async () => {
        const tenant = await linked()
        expect(await ids(from(tenant, [chain[2]], { direction: 'out', hops: 2 }))).toEqual([chain[2], chain[3], chain[4]])
        expect(await ids(from(tenant, [chain[2]], { direction: 'in', hops: 2 }))).toEqual([chain[2], chain[1], chain[0]])
        expect((await ids(from(tenant, [chain[2]], { hops: 1 }))).sort()).toEqual([chain[1], chain[2], chain[3]])
      })

      test('only over the types asked for, by the type of the edge or by the name of the relation', async () => {
        const tenant = await linked()
        await apply(tenant, memory(other, [chain[0]]))
        expect(await ids(from(tenant, [chain[0]], { via: ['works_at'], hops: 4 }))).toEqual([chain[0], chain[1]])
        expect(await ids(from(tenant, [chain[0]], { via: ['works_at', 'knows'], hops: 2 }))).toEqual([chain[0], chain[1], chain[2]])
        expect(await ids(from(tenant, [chain[0]], { via: ['RELATES_TO'] }))).toEqual([chain[0], chain[1]])
        expect(await ids(from(tenant, [chain[0]], { via: ['MENTIONS'] }))).toEqual([chain[0], other])
        expect(await ids(from(tenant, [chain[0]], { via: ['no such thing'] }))).toEqual([chain[0]])
      })

      test('a relation that is named like a type of edge does not pass for one', async () => {
        const tenant = await under.tenant()
        await apply(tenant, entity(ada, 'Ada'), entity(acme, 'Acme'), memory(note, [ada], { relations: [[ada, 'ABOUT', acme]] }))
        expect((await from(tenant, [ada], { via: ['ABOUT'] })).edges).toEqual([
          { type: 'RELATES_TO', from: ada, to: acme, relation: 'ABOUT' },
        ])
      })

      test('the nearest nodes fill the limit, by id within a distance, and a cut is told exactly', async () => {
        const tenant = await under.tenant()
        const leaves = Array.from({ length: 9 }, (_, i) => uuid(20 + i))
        await apply(tenant, entity(ada, 'Ada'), ...leaves.map((id) => memory(id, [ada, acme])), entity(acme, 'Acme'))
        for (const limit of [0, 1, 5, 9, 10, 11]) {
          const found = await from(tenant, [ada], { hops: 2, limit })
          expect(found.nodes.map((node) => node.id)).toEqual([ada, ...leaves, acme].slice(0, limit + 1))
          expect(found.cut).toBe(limit < 10)
          const inside = new Set(found.nodes.map((node) => node.id))
          expect(found.edges.every((edge) => inside.has(edge.from) && inside.has(edge.to))).toBe(true)
        }
      })

      test('a ring ends, and a start named twice or unknown is harmless', async () => {
        const tenant = await under.tenant()
        await apply(
          tenant,
          entity(ada, 'Ada'),
          entity(acme, 'Acme'),
          memory(note, [], {
            relations: [
              [ada, 'owns', acme],
              [acme, 'employs', ada],
              [ada, 'trusts', ada],
            ],
          }),
        )
        const found = await from(tenant, [ada, ada, uuid(999)], { hops: 4 })
        expect(found.nodes).toEqual([
          { id: ada, kind: 'entity', hops: 0 },
          { id: acme, kind: 'entity', hops: 1 },
        ])
        expect(found.edges).toHaveLength(3)
        expect(await from(tenant, [])).toEqual({ nodes: [], edges: [], cut: false })
      })

      test('not through what is gone', async () => {
        const tenant = await linked()
        await apply(tenant, gone(chain[1], 2))
        expect(await ids(from(tenant, [chain[0]], { hops: 4 }))).toEqual([chain[0]])
      })
    })

    describe('isolation', () => {
      test('no edge leads from one subject to another, even where one was asserted', async () => {
        const tenant = await under.tenant()
        await apply(
          tenant,
          entity(ada, 'Ada'),
          entity(acme, 'Acme', { subject: 'user:bob' }),
          memory(note, [ada, acme], { relations: [[ada, 'knows', acme]] }),
          memory(other, [acme], { subject: 'user:bob', namespace: 'user:bob' }),
        )
        expect((await ids(from(tenant, [ada], { hops: 4 }))).sort()).toEqual([ada, note].sort())
        expect((await ids(from(tenant, [ada, acme], { hops: 1 }))).sort()).toEqual([ada, acme, note, other].sort())
      })

      test('only edges asserted in the ranges lead anywhere', async () => {
        const tenant = await under.tenant()
        await apply(
          tenant,
          entity(ada, 'Ada'),
          memory(note, [ada], { namespace: 'user:ada:work' }),
          memory(other, [ada], { namespace: 'user:ada:workshop' }),
        )
        const work = [
          { low: 'user:ada:work', high: 'user:ada:work\u0001' },
          { low: 'user:ada:work:', high: 'user:ada:work;' },
        ]
        expect(await ids(from(tenant, [ada], { ranges: work, hops: 2 }))).toEqual([ada, note])
        expect(await ids(from(tenant, [other], { ranges: work, hops: 2 }))).toEqual([other])
        expect(await ids(from(tenant, [ada], { ranges: [] }))).toEqual([ada])
      })

      test('two tenants with the same ids see their own only', async () => {
        const [a, b] = [await under.tenant(), await under.tenant()]
        await apply(a, entity(ada, 'Ada'), memory(note, [ada], { revision: 9 }))
        await apply(b, entity(ada, 'Ada'), memory(other, [ada], { revision: 1 }))
        expect(await ids(from(a, [ada], { hops: 4 }))).toEqual([ada, note])
        expect(await ids(from(b, [ada], { hops: 4 }))).toEqual([ada, other])
        await apply(b, gone(ada, 20))
        expect(await graph.counts(a, first)).toEqual({ memories: 1, entities: 1, sessions: 0, edges: 1 })
        expect(await graph.purge(b, new Date(Date.UTC(9000, 0)), first)).toBe(1)
        expect(await ids(from(a, [ada]))).toEqual([ada, note])
      })
    })

    describe('names', () => {
      const names = [
        `O'Brien "the" \\ back\\\\slash`,
        '`backtick` ``two``',
        'line\nbreak\r\n\ttab',
        '👩‍👩‍👧‍👦 🎉 é é',
        'שלום مرحبا \u202e',
        `'); drop table graph.nodes; --`,
        `" }) DETACH DELETE n //`,
        '`]->() MATCH (n) SET n.subject = "x" //',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a name like any other
        '$1 ${x} {{y}} %s :param',
        '{"json": [1, null]}',
        '{a,b}',
        ' ',
        'ƒ'.repeat(100),
      ]

      test('of any characters are kept and followed as they are', async () => {
        const tenant = await under.tenant()
        const ends = names.map((_, i) => uuid(300 + i))
        await apply(
          tenant,
          entity(ada, 'Ada'),
          ...names.map((value, i) => entity(ends[i] as string, value, { properties: { type: 'other', value, normalized: value } })),
          memory(note, [], { relations: names.map((relation, i): [string, string, string] => [ada, relation, ends[i] as string]) }),
        )
        for (const [i, relation] of names.entries()) {
          expect(await from(tenant, [ada], { via: [relation] })).toMatchObject({
            nodes: [{ id: ada }, { id: ends[i] }],
            edges: [{ from: ada, to: ends[i], relation }],
          })
        }
        expect(await graph.counts(tenant, first)).toEqual({ memories: 1, entities: names.length + 1, sessions: 0, edges: names.length })
      })

      test('of subjects and namespaces too', async () => {
        const tenant = await under.tenant()
        for (const [i, name] of names.entries()) {
          const [subject, id, mentioning] = [`user:${name}`, uuid(400 + i), uuid(500 + i)]
          await apply(tenant, entity(id, name, { subject }), memory(mentioning, [id], { subject, namespace: `${subject}:work` }))
          const ranges = [{ low: `${subject}:`, high: `${subject};` }]
          expect(await ids(from(tenant, [id], { ranges }))).toEqual([id, mentioning])
        }
      })
    })

    describe('generations', () => {
      const both = { generations: [1, 2] }

      test('a write goes to every one it names, a read to the first', async () => {
        const tenant = await under.tenant()
        await graph.apply(tenant, [entity(ada, 'Ada'), memory(note, [ada])], both)
        await apply(tenant, memory(other, [ada]))
        expect(await ids(from(tenant, [ada], {}, both))).toEqual([ada, note, other])
        expect(await ids(from(tenant, [ada], {}, { generations: [2] }))).toEqual([ada, note])
        expect((await graph.counts(tenant, { generations: [2] })).memories).toBe(1)
        expect(await graph.counts(tenant, { generations: [3] })).toEqual({ memories: 0, entities: 0, sessions: 0, edges: 0 })
      })

      test('each has a fence of its own', async () => {
        const tenant = await under.tenant()
        await graph.apply(tenant, [entity(ada, 'Ada'), entity(acme, 'Acme')], both)
        await apply(tenant, memory(note, [ada], { revision: 5 }))
        await graph.apply(tenant, [memory(note, [acme], { revision: 3 })], both)
        expect(await ids(from(tenant, [note], {}, both))).toEqual([note, ada])
        expect(await ids(from(tenant, [note], {}, { generations: [2] }))).toEqual([note, acme])
        await graph.apply(tenant, [gone(note, 6, 'memory')], both)
        expect(await graph.purge(tenant, new Date(Date.UTC(9000, 0)), both)).toBe(2)
      })
    })

    describe('trouble', () => {
      test('a row the store can never take refuses the whole batch, for good', async () => {
        const tenant = await under.tenant()
        const error = await apply(tenant, entity(ada, 'Ada'), under.poison(acme)).catch((e: unknown) => e)
        expect(error).toBeInstanceOf(GraphStoreError)
        expect(error).toMatchObject({ retryable: false, step: 'apply' })
        expect(await graph.counts(tenant, first)).toEqual({ memories: 0, entities: 0, sessions: 0, edges: 0 })
      })

      test('a call that was given up is told apart: another attempt can help', async () => {
        const tenant = await under.tenant()
        const error = await graph.apply(tenant, [entity(ada, 'Ada')], { ...first, signal: AbortSignal.abort() }).catch((e: unknown) => e)
        expect(error).toBeInstanceOf(GraphStoreError)
        expect(error).toMatchObject({ retryable: true })
      })

      test('health says that it is there', async () => {
        expect(await graph.health()).toMatchObject({ available: true, healthy: true, breaker: 'closed' })
      })
    })

    test('ten thousand entities are written, counted and walked', async () => {
      const tenant = await under.tenant()
      const all = Array.from({ length: 10_000 }, (_, i) => uuid(i, 'big'))
      for (let i = 0; i < all.length; i += 1000) {
        const part = all.slice(i, i + 1000)
        const relations = part.map((id, j): [string, string, string] => [
          all[Math.max(0, Math.floor((i + j - 1) / 10))] as string,
          'has',
          id,
        ])
        await apply(tenant, ...part.map((id, j) => entity(id, `Thing ${i + j}`)), memory(uuid(i, 'assertion'), [], { relations }))
      }
      expect(await graph.counts(tenant, first)).toEqual({ memories: 10, entities: 10_000, sessions: 0, edges: 10_000 })
      const near = await from(tenant, [all[0] as string], { direction: 'out', hops: 3, limit: 500 })
      expect(near.cut).toBe(true)
      expect(near.nodes).toHaveLength(501)
      const whole = await from(tenant, [all[0] as string], { direction: 'out', hops: 4, limit: 9_999 })
      expect(whole).toMatchObject({ cut: false })
      expect(whole.nodes).toHaveLength(10_000)
    }, 60_000)
  })
}
