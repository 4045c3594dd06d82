import type { Head, Projection, Shown } from '@twofold/core/graph/port.ts'
import { below } from '@twofold/core/namespaces/namespace.ts'
import { describe, expect, test } from 'vitest'
import { acme, ada, entity, first, gone, memory, note, other, type Scene, turin, uuid } from './scene.ts'

/** What whoever compares both stores asks first, and how he takes away what nothing projects. */
export function sums(scene: Scene): void {
  /** As the ledger counts buckets: the last ten bits of the id. */
  const bucketOf = (id: string) => Number.parseInt(id.slice(-3), 16) & 1023
  const placed = <P extends Projection>(thing: P): P => ({ ...thing, bucket: bucketOf(thing.id) })
  const added = (...things: Shown[]) => {
    const buckets = [...new Set(things.map((thing) => thing.bucket))].sort((a, b) => a - b)
    return buckets.map((bucket) => {
      const here = things.filter((thing) => thing.bucket === bucket)
      const sum = (of: (thing: Shown) => number) => here.reduce((all, thing) => all + of(thing), 0)
      return {
        ...{ bucket, nodes: here.length, high: sum((t) => t.digest[0]), low: sum((t) => t.digest[1]) },
        ...{ revisions: sum((t) => t.revision), edges: sum((t) => t.edges.length), odd: 0 },
      }
    })
  }
  const heads = (tenant: string, ...ids: string[]): Promise<Head[]> => scene.graph.heads(tenant, { ids }, first)
  const sums = (tenant: string) => scene.graph.sums(tenant, null, first)

  describe('sums', () => {
    test('are those of what was written, by bucket, whether ends are there or not, without tombstones and other tenants', async () => {
      const [tenant, theirs] = [await scene.tenant(), await scene.tenant()]
      const many = Array.from({ length: 200 }, (_, i) => placed(entity(uuid(i + 100), `Thing ${i}`)))
      const asserted = [
        placed(memory(note, [ada, uuid(999)], { relations: [[uuid(998), 'knows', acme]], revision: 7 })),
        placed(memory(other, [ada])),
      ]
      await scene.apply(tenant, ...many, ...asserted, placed(entity(ada, 'Ada')), placed(gone(turin, 3)))
      await scene.apply(theirs, placed(entity(acme, 'Acme')))
      await scene.graph.apply(tenant, [placed(entity(turin, 'Turin'))], { generations: [2] })
      expect(await sums(tenant)).toEqual(added(...many, ...asserted, placed(entity(ada, 'Ada'))))
      expect(await scene.graph.sums(tenant, null, { generations: [2] })).toEqual(added(placed(entity(turin, 'Turin'))))
      expect(await sums(await scene.tenant())).toEqual([])
    })

    test('can be of some subjects alone', async () => {
      const tenant = await scene.tenant()
      const mine = [placed(memory(note, [acme], { namespace: 'user:ada:work' })), placed(entity(acme, 'Acme'))]
      await scene.apply(tenant, ...mine, placed(memory(other, [], { subject: 'user:adam', namespace: 'user:adam' })))
      expect(await scene.graph.sums(tenant, below('user:ada'), first)).toEqual(added(...mine))
      expect(await scene.graph.sums(tenant, [], first)).toEqual([])
    })
  })

  describe('heads', () => {
    test('say of every node how it stands, tombstones among them', async () => {
      const tenant = await scene.tenant()
      const shown = memory(note, [ada, turin], { revision: 4, relations: [[ada, 'in', turin]] })
      await scene.apply(tenant, shown, entity(ada, 'Ada'), gone(acme, 2))
      const found = await heads(tenant, note, ada, acme, uuid(77))
      const head = (id: string, degree: number, { revision, digest }: Shown) => ({
        ...{ id, handle: expect.any(String), subject: 'user:ada', bucket: 3, revision, digest, degree, shown: true, odd: false },
      })
      expect(found.filter((one) => one.shown)).toEqual([head(ada, 0, entity(ada, 'Ada')), head(note, 3, shown)])
      expect(found.filter((one) => !one.shown)).toMatchObject([{ id: acme, revision: 2, degree: 0, odd: false, digest: null }])
      expect((await scene.graph.heads(tenant, { buckets: [3] }, first)).filter((one) => one.shown)).toHaveLength(2)
      expect(await scene.graph.heads(tenant, { buckets: [4] }, first)).toEqual([])
      expect(await scene.graph.held(tenant, { ids: [note, acme, uuid(77)] }, first)).toMatchObject([{ id: note }])
    })
  })

  describe('pruning', () => {
    test('takes a node and what it asserts, and leaves the edges of others where they were', async () => {
      const tenant = await scene.tenant()
      await scene.apply(
        tenant,
        placed(
          entity(ada, 'Ada', {
            edges: [{ type: 'RELATES_TO', from: ada, to: acme, relation: 'in', namespace: 'user:ada', confidence: 1 }],
          }),
        ),
      )
      await scene.apply(tenant, placed(entity(acme, 'Acme')), placed(memory(note, [ada])))
      expect(await scene.graph.claimants(tenant, [ada], first)).toEqual([note])
      const [head] = await heads(tenant, ada)
      expect(await scene.graph.prune(tenant, [{ node: head as Head }], first)).toBeGreaterThan(0)
      expect(await scene.counts(tenant)).toEqual({ memories: 1, entities: 1, sessions: 0, edges: 0 })
      expect((await heads(tenant, ada, note)).filter((one) => one.shown)).toMatchObject([{ id: note, degree: 1 }])
      await scene.apply(tenant, placed(entity(ada, 'Ada')))
      expect(await scene.counts(tenant)).toEqual({ memories: 1, entities: 2, sessions: 0, edges: 1 })
      expect(await scene.graph.strays(tenant, 10, first)).toEqual({ nodes: [], edges: [] })
    })

    test('takes nothing that changed since it was reported', async () => {
      const tenant = await scene.tenant()
      await scene.apply(tenant, entity(ada, 'Ada'), memory(note, [ada]))
      const [head] = await heads(tenant, note)
      await scene.apply(tenant, memory(note, [], { revision: 2 }))
      expect(await scene.graph.prune(tenant, [{ node: head as Head }, { owner: note }], first)).toBe(0)
      expect(await scene.counts(tenant)).toMatchObject({ memories: 1, entities: 1 })
      expect(await scene.graph.prune(tenant, [], first)).toBe(0)
    })

    test('touches no other tenant', async () => {
      const [mine, theirs] = [await scene.tenant(), await scene.tenant()]
      await scene.apply(theirs, entity(ada, 'Ada'))
      const [head] = await heads(theirs, ada)
      expect(await scene.graph.prune(mine, [{ node: head as Head }, { owner: ada }], first)).toBe(0)
      expect(await scene.counts(theirs)).toMatchObject({ entities: 1 })
    })
  })
}
