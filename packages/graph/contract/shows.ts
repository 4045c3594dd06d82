import { describe, expect, test } from 'vitest'
import { acme, ada, entity, first, gone, ids, memory, note, other, type Scene, turin } from './scene.ts'

/** What is there after what was written. */
export function shows(scene: Scene): void {
  describe('what it shows', () => {
    test('a memory leads to what it mentions, and back', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, memory(note, [ada, acme]), entity(ada, 'Ada'), entity(acme, 'Acme'))
      expect(await scene.from(tenant, [note])).toEqual({
        nodes: [
          { id: note, kind: 'memory', hops: 0, from: note },
          { id: ada, kind: 'entity', hops: 1, from: note },
          { id: acme, kind: 'entity', hops: 1, from: note },
        ],
        edges: [
          { type: 'MENTIONS', from: note, to: ada, relation: '' },
          { type: 'MENTIONS', from: note, to: acme, relation: '' },
        ],
        cut: false,
      })
      expect(await ids(scene.from(tenant, [ada]))).toEqual([ada, note])
      expect(await scene.counts(tenant)).toEqual({ memories: 1, entities: 2, sessions: 0, edges: 2 })
    })

    test('an edge whose other end comes later is seen once it is there', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, memory(note, [ada]))
      expect(await scene.from(tenant, [note])).toMatchObject({ nodes: [{ id: note }], edges: [] })
      expect((await scene.counts(tenant)).edges).toBe(0)
      await scene.apply(tenant, entity(ada, 'Ada'))
      expect(await ids(scene.from(tenant, [note]))).toEqual([note, ada])
      expect((await scene.counts(tenant)).edges).toBe(1)
    })

    test('an edge that several memories assert is answered once, and stays while one of them is left', async () => {
      const tenant = await scene.tenant()
      const works: [string, string, string] = [ada, 'works_at', acme]
      await scene.apply(
        tenant,
        entity(ada, 'Ada'),
        entity(acme, 'Acme'),
        memory(note, [], { relations: [works] }),
        memory(other, [], { relations: [works] }),
      )
      const relation = [{ type: 'RELATES_TO', from: ada, to: acme, relation: 'works_at' }]
      expect((await scene.from(tenant, [ada])).edges).toEqual(relation)
      await scene.apply(tenant, gone(note, 2, 'memory'))
      expect((await scene.from(tenant, [ada])).edges).toEqual(relation)
      await scene.apply(tenant, gone(other, 2, 'memory'))
      expect(await scene.from(tenant, [ada])).toMatchObject({ nodes: [{ id: ada }], edges: [] })
    })

    test('a new revision replaces all the edges it asserted, and no others', async () => {
      const tenant = await scene.tenant()
      await scene.apply(
        tenant,
        entity(ada, 'Ada'),
        entity(acme, 'Acme'),
        entity(turin, 'Turin'),
        memory(note, [ada, acme]),
        memory(other, [ada]),
      )
      await scene.apply(tenant, memory(note, [acme, turin], { revision: 2 }))
      expect(await ids(scene.from(tenant, [note]))).toEqual([note, acme, turin])
      expect(await ids(scene.from(tenant, [ada]))).toEqual([ada, other])
    })
  })

  describe('tombstones', () => {
    test('only those written before the given moment are purged, and their number is told', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada'), memory(note, [ada]))
      await scene.apply(tenant, gone(note, 2, 'memory'), gone(acme, 2))
      expect(await scene.graph.purge(tenant, new Date(0), first)).toBe(0)
      expect(await scene.graph.purge(tenant, new Date(Date.UTC(9000, 0)), first)).toBe(2)
      expect(await scene.graph.purge(tenant, new Date(Date.UTC(9000, 0)), first)).toBe(0)
      expect(await ids(scene.from(tenant, [ada]))).toEqual([ada])
    })
  })
}
