import { describe, expect, test } from 'vitest'
import { acme, ada, entity, gone, ids, memory, note, other, type Scene, uuid } from './scene.ts'

/** What comes late, twice or at once. */
export function fence(scene: Scene): void {
  describe('the fence', () => {
    test('an older revision never overwrites a newer one, nor its edges', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada'), entity(acme, 'Acme'), memory(note, [acme], { revision: 5 }))
      await scene.apply(tenant, memory(note, [ada], { revision: 4 }))
      expect(await ids(scene.from(tenant, [note]))).toEqual([note, acme])
      expect(await ids(scene.from(tenant, [ada]))).toEqual([ada])
    })

    test('an upsert that comes after its tombstone brings nothing back', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada'), memory(note, [ada]))
      await scene.apply(tenant, gone(note, 3, 'memory'))
      for (const revision of [1, 2, 3]) await scene.apply(tenant, memory(note, [ada], { revision }))
      expect(await scene.from(tenant, [note])).toEqual({ nodes: [], edges: [], cut: false })
      expect(await scene.counts(tenant)).toEqual({ memories: 0, entities: 1, sessions: 0, edges: 0 })
    })

    test('a tombstone that comes after a newer revision takes nothing away', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada'), memory(note, [ada], { revision: 4 }))
      await scene.apply(tenant, gone(note, 3, 'memory'))
      expect(await ids(scene.from(tenant, [note]))).toEqual([note, ada])
    })

    test('a thing made again under its old id is shown once its revision is past the tombstone', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada'), memory(note, [ada]))
      await scene.apply(tenant, gone(note, 2, 'memory'))
      await scene.apply(tenant, memory(note, [ada], { revision: 3 }))
      expect(await ids(scene.from(tenant, [note]))).toEqual([note, ada])
    })

    test('the same batch twice is the same as once', async () => {
      const tenant = await scene.tenant()
      const batch = [
        entity(ada, 'Ada'),
        entity(acme, 'Acme'),
        memory(note, [ada], { relations: [[ada, 'works_at', acme]] }),
        gone(other, 2, 'memory'),
      ]
      await scene.apply(tenant, ...batch)
      const once = [await scene.from(tenant, [ada], { hops: 2 }), await scene.counts(tenant)]
      await scene.apply(tenant, ...batch)
      expect([await scene.from(tenant, [ada], { hops: 2 }), await scene.counts(tenant)]).toEqual(once)
    })

    test('of two writers on one memory the newer revision wins whole, whoever comes last', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada'), entity(acme, 'Acme'))
      for (let round = 0; round < 10; round++) {
        const id = uuid(100 + round)
        await Promise.all([
          scene.apply(tenant, memory(id, [acme], { revision: 2 })),
          scene.apply(tenant, memory(id, [ada], { revision: 1 })),
        ])
        expect(await ids(scene.from(tenant, [id]))).toEqual([id, acme])
      }
    })

    test('many writers with overlapping batches all finish, and the newest of each thing stands', async () => {
      const tenant = await scene.tenant()
      const things = Array.from({ length: 20 }, (_, i) => uuid(200 + i))
      const writers = Array.from({ length: 8 }, (_, w) =>
        (w % 2 ? things : [...things].reverse()).map((id) => memory(id, [ada], { revision: w + 1 })),
      )
      await Promise.all(writers.map((batch) => scene.apply(tenant, ...batch)))
      await scene.apply(tenant, ...things.map((id) => memory(id, [], { revision: 8 })), entity(ada, 'Ada'))
      expect(await ids(scene.from(tenant, [ada]))).toEqual([ada])
      expect((await scene.counts(tenant)).memories).toBe(20)
    })

    test('an entity that is linked anew while its last other mention goes stays, whoever comes last', async () => {
      const tenant = await scene.tenant()
      for (let round = 0; round < 10; round++) {
        const [thing, old, linking] = [uuid(700 + round), uuid(720 + round), uuid(740 + round)]
        await scene.apply(tenant, entity(thing, 'Ada'), memory(old, [thing]))
        const writes = [
          () => scene.apply(tenant, gone(old, 2, 'memory')),
          () => scene.apply(tenant, memory(linking, [thing])),
          () => scene.apply(tenant, entity(thing, 'Ada', { revision: 3 })),
          () => scene.apply(tenant, gone(thing, 2)),
        ]
        await Promise.all((round % 2 ? writes : writes.reverse()).map((write) => write()))
        expect(await ids(scene.from(tenant, [thing]))).toEqual([thing, linking])
      }
    })

    test('an empty batch changes nothing', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant)
      expect(await scene.counts(tenant)).toEqual({ memories: 0, entities: 0, sessions: 0, edges: 0 })
    })
  })
}
