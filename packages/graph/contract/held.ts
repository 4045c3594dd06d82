import { digest } from '@twofold/core/graph/digest.ts'
import type { Edge, Shown } from '@twofold/core/graph/port.ts'
import { describe, expect, test } from 'vitest'
import { acme, ada, entity, first, gone, memory, note, other, type Scene, turin, uuid } from './scene.ts'

const inOrder = (things: readonly Shown[]): Shown[] =>
  things
    .map((thing) => ({ ...thing, labels: [...thing.labels].sort(), edges: [...thing.edges].sort((a, b) => (key(a) < key(b) ? -1 : 1)) }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
const key = ({ type, from, to, relation }: Edge) => JSON.stringify([type, from, to, relation])

/** What the graph says it holds, for whoever compares it with what it should show. */
export function held(scene: Scene): void {
  describe('what is held', () => {
    const hold = async (tenant: string, buckets: number[], options = first) => inOrder(await scene.graph.held(tenant, buckets, options))

    test('is what was written: every property, label and edge, whether its ends are there or not', async () => {
      const tenant = await scene.tenant()
      const things = [
        entity(ada, '🎉 "quoted" \\ back\nline é 👩‍👩‍👧', { subject: 'user:שלום', revision: 7 }),
        entity(acme, '', {
          properties: {
            importance: 7.3,
            version: 123456789,
            small: 1e-7,
            large: 1e21,
            third: 1 / 3,
            zero: 0,
            minus: -5,
            yes: true,
            no: false,
            empty: '',
          },
        }),
        memory(note, [ada, uuid(999)], {
          labels: ['Decision'],
          namespace: 'user:ada:wörk',
          relations: [
            [ada, 'works_at', acme],
            [ada, '`]->() DETACH DELETE (n) //', acme],
            [acme, 'works_at', ada],
            [uuid(998), 'knows', uuid(997)],
          ],
        }),
        memory(other, [ada], { relations: [[ada, 'works_at', acme]] }),
      ]
      await scene.apply(tenant, ...things)
      const found = await hold(tenant, [3])
      expect(found).toEqual(inOrder(things))
      for (const thing of found) expect(digest(thing)).toEqual(thing.digest)
    })

    test('is ordered by id, of the buckets asked for, without tombstones', async () => {
      const tenant = await scene.tenant()
      const inBucket = (n: number, bucket: number) => entity(uuid(n), `Thing ${n}`, { bucket })
      const things = [9, 1, 5, 3, 7].map((n) => inBucket(n, n))
      await scene.apply(tenant, ...things, { ...gone(uuid(4), 2), bucket: 5 })
      const asked = async (...buckets: number[]) => (await scene.graph.held(tenant, buckets, first)).map((thing) => thing.id)
      expect(await asked(1, 3, 5, 7, 9)).toEqual([uuid(1), uuid(3), uuid(5), uuid(7), uuid(9)])
      expect(await asked(9, 5, 5)).toEqual([uuid(5), uuid(9)])
      expect(await asked(2)).toEqual([])
      expect(await asked()).toEqual([])
    })

    test('is what stands after older and newer revisions, no edge more', async () => {
      const tenant = await scene.tenant()
      const newest = memory(note, [acme], { revision: 3, relations: [[acme, 'in', turin]] })
      await scene.apply(tenant, memory(note, [ada, acme], { relations: [[ada, 'in', turin]] }), memory(other, [ada]))
      await scene.apply(tenant, newest)
      await scene.apply(tenant, memory(note, [ada], { revision: 2 }), gone(other, 2, 'memory'))
      expect(await hold(tenant, [3])).toEqual(inOrder([newest]))
    })

    test('is the tenant’s own, of one generation', async () => {
      const [mine, theirs] = [await scene.tenant(), await scene.tenant()]
      const [live, next, foreign] = [entity(ada, 'Ada'), entity(ada, 'Ada', { revision: 2 }), entity(ada, 'Not Ada')]
      await scene.graph.apply(mine, [live], { generations: [1, 2] })
      await scene.graph.apply(mine, [next], { generations: [2] })
      await scene.apply(theirs, foreign)
      expect(await hold(mine, [3])).toEqual([live])
      expect(await hold(mine, [3], { generations: [2, 1] })).toEqual([next])
      expect(await hold(theirs, [3])).toEqual([foreign])
    })

    test('bears the digest that was written, so that whatever was changed by hand since shows', async () => {
      const tenant = await scene.tenant()
      const lying: Shown = { ...entity(ada, 'Ada'), digest: [-2147483648, 2147483647] }
      await scene.apply(tenant, lying)
      const [found] = await hold(tenant, [3])
      expect(found?.digest).toEqual([-2147483648, 2147483647])
      expect(digest(found as Shown)).toEqual(entity(ada, 'Ada').digest)
    })
  })
}
