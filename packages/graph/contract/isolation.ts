import { describe, expect, test } from 'vitest'
import { acme, ada, entity, first, gone, ids, memory, note, other, type Scene } from './scene.ts'

/** What nobody may reach. */
export function isolation(scene: Scene): void {
  describe('isolation', () => {
    test('no edge leads from one subject to another, even where one was asserted', async () => {
      const tenant = await scene.tenant()
      await scene.apply(
        tenant,
        entity(ada, 'Ada'),
        entity(acme, 'Acme', { subject: 'user:bob' }),
        memory(note, [ada, acme], { relations: [[ada, 'knows', acme]] }),
        memory(other, [acme], { subject: 'user:bob', namespace: 'user:bob' }),
      )
      expect((await ids(scene.from(tenant, [ada], { hops: 4 }))).sort()).toEqual([ada, note].sort())
      expect((await ids(scene.from(tenant, [ada, acme], { hops: 1 }))).sort()).toEqual([ada, acme, note, other].sort())
    })

    test('only edges asserted in the ranges lead anywhere', async () => {
      const tenant = await scene.tenant()
      await scene.apply(
        tenant,
        entity(ada, 'Ada'),
        memory(note, [ada], { namespace: 'user:ada:work' }),
        memory(other, [ada], { namespace: 'user:ada:workshop' }),
      )
      const work = [
        { low: 'user:ada:work', high: 'user:ada:work\u0001' },
        { low: 'user:ada:work:', high: 'user:ada:work;' },
      ]
      expect(await ids(scene.from(tenant, [ada], { ranges: work, hops: 2 }))).toEqual([ada, note])
      expect(await ids(scene.from(tenant, [other], { ranges: work, hops: 2 }))).toEqual([other])
      expect(await ids(scene.from(tenant, [ada], { ranges: [] }))).toEqual([ada])
    })

    test('two tenants with the same ids see their own only', async () => {
      const [a, b] = [await scene.tenant(), await scene.tenant()]
      await scene.apply(a, entity(ada, 'Ada'), memory(note, [ada], { revision: 9 }))
      await scene.apply(b, entity(ada, 'Ada'), memory(other, [ada], { revision: 1 }))
      expect(await ids(scene.from(a, [ada], { hops: 4 }))).toEqual([ada, note])
      expect(await ids(scene.from(b, [ada], { hops: 4 }))).toEqual([ada, other])
      await scene.apply(b, gone(ada, 20))
      expect(await scene.counts(a)).toEqual({ memories: 1, entities: 1, sessions: 0, edges: 1 })
      expect(await scene.graph.purge(b, new Date(Date.UTC(9000, 0)), first)).toBe(1)
      expect(await ids(scene.from(a, [ada]))).toEqual([ada, note])
    })
  })
}
