import { describe, expect, test } from 'vitest'
import { acme, ada, entity, gone, ids, memory, note, other, type Scene, uuid } from './scene.ts'

/** Which way a traversal goes, and how far. */
export function traversal(scene: Scene): void {
  describe('where a traversal goes', () => {
    const chain = [1, 2, 3, 4, 5, 6].map((n) => uuid(n)) as [string, string, string, string, string, string]
    const linked = async () => {
      const tenant = await scene.tenant()
      const relations = chain.slice(1).map((id, i): [string, string, string] => [chain[i] as string, i % 2 ? 'knows' : 'works_at', id])
      await scene.apply(tenant, ...chain.map((id, i) => entity(id, `Thing ${i}`)), memory(note, [], { relations }))
      return tenant
    }

    test('as many hops as asked, no more, each node at its shortest distance', async () => {
      const tenant = await linked()
      for (const hops of [1, 2, 3, 4]) expect(await ids(scene.from(tenant, [chain[0]], { hops }))).toEqual(chain.slice(0, hops + 1))
      const found = await scene.from(tenant, [chain[0], chain[3]], { hops: 2 })
      expect(found.nodes.map((node) => [node.id, node.hops])).toEqual([
        [chain[0], 0],
        [chain[3], 0],
        [chain[1], 1],
        [chain[2], 1],
        [chain[4], 1],
        [chain[5], 2],
      ])
    })

    test('each node with the start it is nearest to, of several the one with the least id', async () => {
      const tenant = await linked()
      const origins = async (...start: string[]) =>
        Object.fromEntries((await scene.from(tenant, start, { hops: 4 })).nodes.map(({ id, from }) => [id, from]))
      const [a, b, c, d, e, f] = chain
      expect(await origins(c)).toEqual({ [a]: c, [b]: c, [c]: c, [d]: c, [e]: c, [f]: c })
      expect(await origins(f, a)).toEqual({ [a]: a, [b]: a, [c]: a, [d]: f, [e]: f, [f]: f })
      expect(await origins(e, c)).toEqual({ [a]: c, [b]: c, [c]: c, [d]: c, [e]: e, [f]: e })
      expect(await origins(b, a)).toEqual({ [a]: a, [b]: b, [c]: b, [d]: b, [e]: b, [f]: b })
    })

    test('along the edges, against them, or both ways', async () => {
      const tenant = await linked()
      expect(await ids(scene.from(tenant, [chain[2]], { direction: 'out', hops: 2 }))).toEqual([chain[2], chain[3], chain[4]])
      expect(await ids(scene.from(tenant, [chain[2]], { direction: 'in', hops: 2 }))).toEqual([chain[2], chain[1], chain[0]])
      expect((await ids(scene.from(tenant, [chain[2]], { hops: 1 }))).sort()).toEqual([chain[1], chain[2], chain[3]])
    })

    test('only over the types asked for, by the type of the edge or by the name of the relation', async () => {
      const tenant = await linked()
      await scene.apply(tenant, memory(other, [chain[0]]))
      expect(await ids(scene.from(tenant, [chain[0]], { via: ['works_at'], hops: 4 }))).toEqual([chain[0], chain[1]])
      expect(await ids(scene.from(tenant, [chain[0]], { via: ['works_at', 'knows'], hops: 2 }))).toEqual([chain[0], chain[1], chain[2]])
      expect(await ids(scene.from(tenant, [chain[0]], { via: ['RELATES_TO'] }))).toEqual([chain[0], chain[1]])
      expect(await ids(scene.from(tenant, [chain[0]], { via: ['MENTIONS'] }))).toEqual([chain[0], other])
      expect(await ids(scene.from(tenant, [chain[0]], { via: ['no such thing'] }))).toEqual([chain[0]])
    })

    test('a relation that is named like a type of edge does not pass for one', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada'), entity(acme, 'Acme'), memory(note, [ada], { relations: [[ada, 'ABOUT', acme]] }))
      expect((await scene.from(tenant, [ada], { via: ['ABOUT'] })).edges).toEqual([
        { type: 'RELATES_TO', from: ada, to: acme, relation: 'ABOUT' },
      ])
    })

    test('the nearest nodes fill the limit, by id within a distance, and a cut is told exactly', async () => {
      const tenant = await scene.tenant()
      const leaves = Array.from({ length: 9 }, (_, i) => uuid(20 + i))
      await scene.apply(tenant, entity(ada, 'Ada'), ...leaves.map((id) => memory(id, [ada, acme])), entity(acme, 'Acme'))
      for (const limit of [0, 1, 5, 9, 10, 11]) {
        const found = await scene.from(tenant, [ada], { hops: 2, limit })
        expect(found.nodes.map((node) => node.id)).toEqual([ada, ...leaves, acme].slice(0, limit + 1))
        expect(found.cut).toBe(limit < 10)
        const inside = new Set(found.nodes.map((node) => node.id))
        expect(found.edges.every((edge) => inside.has(edge.from) && inside.has(edge.to))).toBe(true)
      }
    })

    test('a ring ends, and a start named twice or unknown is harmless', async () => {
      const tenant = await scene.tenant()
      await scene.apply(
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
      const found = await scene.from(tenant, [ada, ada, uuid(999)], { hops: 4 })
      expect(found.nodes).toEqual([
        { id: ada, kind: 'entity', hops: 0, from: ada },
        { id: acme, kind: 'entity', hops: 1, from: ada },
      ])
      expect(found.edges).toHaveLength(3)
      expect(await scene.from(tenant, [])).toEqual({ nodes: [], edges: [], cut: false })
    })

    test('not through what is gone', async () => {
      const tenant = await linked()
      await scene.apply(tenant, gone(chain[1], 2))
      expect(await ids(scene.from(tenant, [chain[0]], { hops: 4 }))).toEqual([chain[0]])
    })
  })
}
