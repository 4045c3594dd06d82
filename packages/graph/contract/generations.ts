import type { GraphOptions, Head } from '@twofold/core/graph/port.ts'
import { describe, expect, test } from 'vitest'
import { acme, ada, entity, first, gone, ids, memory, note, other, type Scene, turin, uuid } from './scene.ts'

const both = { generations: [1, 2] }
const second = { generations: [2] }
const later = new Date(Date.UTC(9000, 0))

/** A graph that is built beside the one that is read, and one that is taken away. */
export function generations(scene: Scene): void {
  /** One after the other: a store that meets these questions for the first time is slow to plan them. */
  const reads = async (tenant: string, options: GraphOptions): Promise<unknown[]> => [
    await scene.from(tenant, [ada, note], { hops: 2 }, options),
    await scene.graph.counts(tenant, options),
    await scene.graph.held(tenant, [3], options),
    await scene.graph.held(tenant, { ids: [ada, note, other] }, options),
    await scene.graph.sums(tenant, null, options),
    (await scene.graph.heads(tenant, { buckets: [3] }, options)).map(({ handle: _, ...head }) => head),
    await scene.graph.claimants(tenant, [ada], options),
    await scene.graph.strays(tenant, 10, options),
  ]

  describe('generations', () => {
    test('a write goes to every one it names, a read to the first', async () => {
      const tenant = await scene.tenant()
      await scene.graph.apply(tenant, [entity(ada, 'Ada'), memory(note, [ada])], both)
      expect(await reads(tenant, second)).toEqual(await reads(tenant, both))
      await scene.apply(tenant, memory(other, [ada]))
      expect(await ids(scene.from(tenant, [ada], {}, both))).toEqual([ada, note, other])
      expect(await ids(scene.from(tenant, [ada], {}, second))).toEqual([ada, note])
      expect((await scene.graph.counts(tenant, second)).memories).toBe(1)
      expect(await scene.graph.counts(tenant, { generations: [3] })).toEqual({ memories: 0, entities: 0, sessions: 0, edges: 0 })
    })

    test('a reader of one sees nothing of another, whatever it asks and whatever comes, goes or is purged there', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada'), memory(note, [ada]), gone(acme, 2))
      const before = await reads(tenant, first)
      await scene.graph.apply(tenant, [entity(acme, 'Acme'), memory(other, [ada, acme]), memory(note, [acme], { revision: 8 })], second)
      await scene.graph.apply(tenant, [entity(ada, 'Ada L.', { revision: 4 }), gone(turin, 3)], second)
      expect(await reads(tenant, first)).toEqual(before)
      expect(await ids(scene.from(tenant, [note], {}, second))).toEqual([note, acme])
      await scene.graph.apply(tenant, [gone(note, 9, 'memory'), gone(ada, 5)], second)
      expect(await scene.graph.purge(tenant, later, second)).toBe(3)
      const [head] = await scene.graph.heads(tenant, { ids: [other] }, second)
      expect(await scene.graph.prune(tenant, [{ node: head as Head }], second)).toBeGreaterThan(0)
      await scene.under.stray(tenant, 2)
      expect(await reads(tenant, first)).toEqual(before)
      expect((await scene.graph.strays(tenant, 10, second)).edges).toHaveLength(1)
    })

    test('each has a fence of its own, whichever is ahead', async () => {
      const tenant = await scene.tenant()
      await scene.graph.apply(tenant, [entity(ada, 'Ada'), entity(acme, 'Acme')], both)
      await scene.apply(tenant, memory(note, [ada], { revision: 5 }))
      await scene.graph.apply(tenant, [memory(other, [ada], { revision: 7 }), gone(turin, 4)], second)
      await scene.graph.apply(tenant, [memory(note, [acme], { revision: 3 }), memory(other, [acme], { revision: 6 })], both)
      await scene.graph.apply(tenant, [entity(turin, 'Turin', { revision: 4 })], both)
      const reached = (start: string, options: GraphOptions) => ids(scene.from(tenant, [start], {}, options))
      expect([await reached(note, first), await reached(note, second)]).toEqual([
        [note, ada],
        [note, acme],
      ])
      expect([await reached(other, first), await reached(other, second)]).toEqual([
        [other, acme],
        [other, ada],
      ])
      expect([await reached(turin, first), await reached(turin, second)]).toEqual([[turin], []])
      await scene.graph.apply(tenant, [gone(note, 8, 'memory'), gone(other, 8, 'memory')], both)
      expect([await reached(ada, first), await reached(ada, second)]).toEqual([[ada], [ada]])
      expect(await scene.graph.purge(tenant, later, both)).toBe(5)
    })
  })

  describe('dropping a generation', () => {
    /** Drops slice by slice; each answer but the last, which is 0. */
    const drop = async (tenant: string, generation: number, most: number): Promise<number[]> => {
      const slices: number[] = []
      for (let went = -1; went !== 0; slices.push(went)) went = await scene.graph.drop(tenant, generation, most, {})
      return slices.slice(0, -1)
    }

    test('takes all of it, and nothing of another one or of another tenant', async () => {
      const [tenant, theirs] = [await scene.tenant(), await scene.tenant()]
      const batch = [
        entity(ada, 'Ada'),
        memory(note, [ada, acme], { relations: [[ada, 'in', turin]] }),
        memory(other, [ada]),
        gone(turin, 2),
      ]
      for (const one of [tenant, theirs]) await scene.graph.apply(one, batch, both)
      await scene.under.stray(tenant, 2)
      const [mine, others] = [await reads(tenant, second), await reads(theirs, first)]
      expect((await drop(tenant, 1, 100)).length).toBeGreaterThan(0)
      expect(await scene.counts(tenant)).toEqual({ memories: 0, entities: 0, sessions: 0, edges: 0 })
      expect(await scene.graph.heads(tenant, { ids: [ada, acme, turin, note, other] }, first)).toEqual([])
      expect(await scene.graph.sums(tenant, null, first)).toEqual([])
      expect(await scene.graph.purge(tenant, later, first)).toBe(0)
      expect([await reads(tenant, second), await reads(theirs, first)]).toEqual([mine, others])
    })

    test('takes what nothing asserts too', async () => {
      const tenant = await scene.tenant()
      await scene.graph.apply(tenant, [entity(ada, 'Ada'), memory(note, [ada])], both)
      await scene.under.stray(tenant, 1)
      await drop(tenant, 1, 1)
      expect(await scene.graph.strays(tenant, 10, first)).toEqual({ nodes: [], edges: [] })
      await scene.under.stray(tenant, 1)
      expect((await drop(tenant, 1, 1)).length).toBeGreaterThan(0)
      expect(await scene.graph.strays(tenant, 10, first)).toEqual({ nodes: [], edges: [] })
      expect(await scene.graph.counts(tenant, second)).toEqual({ memories: 1, entities: 1, sessions: 0, edges: 1 })
    })

    test('takes no more at once than it is told, however large it is, and writes to the other go on', async () => {
      const tenant = await scene.tenant()
      const many = Array.from({ length: 1_200 }, (_, i) => uuid(i, 'dropped'))
      for (let i = 0; i < many.length; i += 400) {
        const part = many.slice(i, i + 400).map((id, j) => memory(id, [ada], { bucket: (i + j) % 1024 }))
        await scene.graph.apply(tenant, part, both)
      }
      await scene.graph.apply(tenant, [entity(ada, 'Ada')], both)
      let left = 1_201
      for (let went = -1, slice = 0; went !== 0; slice++) {
        went = await scene.graph.drop(tenant, 1, 250, {})
        expect(went).toBeLessThanOrEqual(250)
        const { memories, entities } = await scene.counts(tenant)
        expect(left - memories - entities).toBeLessThanOrEqual(250)
        left = memories + entities
        await scene.graph.apply(tenant, [memory(uuid(slice, 'meanwhile'), [ada])], second)
        expect((await scene.graph.counts(tenant, second)).memories).toBe(1_201 + slice)
      }
      expect(left).toBe(0)
    })

    test('answers 0 where there is nothing, again and again', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada'))
      for (let i = 0; i < 2; i++) expect(await scene.graph.drop(tenant, 2, 10, {})).toBe(0)
      expect(await scene.counts(tenant)).toMatchObject({ entities: 1 })
    })

    test('lets the same number be filled anew, from its first revision', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada', { revision: 9 }), memory(note, [ada], { revision: 9 }), gone(other, 9, 'memory'))
      await drop(tenant, 1, 2)
      await scene.apply(tenant, entity(ada, 'Ada'), memory(note, [ada]), memory(other, [ada]))
      expect(await ids(scene.from(tenant, [ada]))).toEqual([ada, note, other])
    })

    test('can be part of a session, and of one that is taken back', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada'))
      const work = scene.graph.session('atomic', async (session) => {
        expect(await scene.graph.drop(tenant, 1, 10, { session })).toBe(1)
        expect(await scene.graph.drop(tenant, 1, 10, { session })).toBe(0)
        throw new Error('no')
      })
      await expect(work).rejects.toThrow('no')
      expect(await scene.counts(tenant)).toMatchObject({ entities: 1 })
      await scene.graph.session('reuse', (session) => scene.graph.drop(tenant, 1, 10, { session }))
      expect(await scene.counts(tenant)).toMatchObject({ entities: 0 })
    })
  })
}
